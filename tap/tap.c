#include "tap/tap.h"

#include "broker/assembly.h"
#include "broker/connection.h"
#include "broker/listen.h"
#include "broker/topology.h"
#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/messages.h"
#include "tap/item.h"
#include "tap/show.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHANNEL 1
#define CHANNEL_REJECTED 2
#define WAIT_NS (100 * IR_MILLISECOND_NS)
#define FIRST_BACKOFF_NS (200 * IR_MILLISECOND_NS)
#define LONGEST_BACKOFF_NS (5 * IR_SECOND_NS)
#define PREFETCH 1000
#define QUEUE_MOST 10000
#define BODY_MOST ((uint64_t)16 * 1024 * 1024)
#define PATTERNS_MAX 256
#define PATTERN_SIZE 512
#define HEADER_SIZE 512

static volatile sig_atomic_t stop;

typedef struct letter {
    char key[HEADER_SIZE], reason[HEADER_SIZE], detail[HEADER_SIZE];
    int64_t refused;
} letter_t;

typedef struct lane {
    amqp_channel_t channel; /* 0: not listened to */
    char queue[IR_LISTEN_QUEUE_SIZE];
    ir_assembly_t assembly;
    uint64_t last; /* tag of the last message */
    bool owes;     /* it is not acknowledged yet */
} lane_t;

typedef struct tap {
    const ir_tap_options_t *options;
    amqp_connection_state_t connection;
    lane_t processed, rejected;
    letter_t letter; /* the headers of a message of ir.rejected */
    ir_show_t show;
    uint64_t told_missed;
    unsigned unacknowledged;
    int64_t figures_ns; /* when the last ones were shown */
} tap_t;

/* ---- listening ---- */

typedef struct patterns {
    char texts[PATTERNS_MAX][PATTERN_SIZE];
    const char *all[PATTERNS_MAX];
    size_t count;
} patterns_t;

/* The next word of a list, "" for an empty list; false at its end. */
static bool next_word(const char **at, ir_view_t *word) {
    if (*at == NULL) {
        return false;
    }
    const size_t size = strcspn(*at, ",");
    *word = ir_view(*at, size);
    *at = (*at)[size] == ',' ? *at + size + 1 : NULL;
    return true;
}

/* FORMAT.MOTE for each format and mote. */
static ir_status_t make_patterns(const ir_tap_options_t *options, patterns_t *patterns,
                                 ir_error_t *error) {
    const char *formats = options->format != NULL ? options->format : "";
    ir_view_t format;
    ir_view_t mote;
    while (next_word(&formats, &format)) {
        const char *motes = options->mote != NULL ? options->mote : "";
        while (next_word(&motes, &mote)) {
            if (patterns->count == PATTERNS_MAX) {
                return ir_error_set(error, IR_ERR_USAGE,
                                    "mote and format: more than %d combinations; leave one out",
                                    PATTERNS_MAX);
            }
            char *text = patterns->texts[patterns->count];
            snprintf(text, PATTERN_SIZE, "%.*s.%.*s", format.size > 0 ? (int)format.size : 1,
                     format.size > 0 ? format.data : "*", mote.size > 0 ? (int)mote.size : 1,
                     mote.size > 0 ? mote.data : "#");
            patterns->all[patterns->count++] = text;
        }
    }
    return IR_OK;
}

static ir_status_t open_lane(const tap_t *tap, lane_t *lane, amqp_channel_t channel,
                             const char *exchange, const char *const *patterns, size_t n_patterns,
                             ir_error_t *error) {
    const ir_listen_t listen = {.exchange = exchange,
                                .patterns = patterns,
                                .n_patterns = n_patterns,
                                .prefetch = PREFETCH,
                                .most = QUEUE_MOST};
    const ir_status_t status =
        ir_broker_listen(tap->connection, channel, &listen, lane->queue, error);
    lane->channel = status == IR_OK ? channel : 0;
    lane->owes = false;
    return status;
}

static ir_status_t listen_processed(tap_t *tap, ir_error_t *error) {
    static patterns_t patterns;
    patterns.count = 0;
    const ir_status_t status = make_patterns(tap->options, &patterns, error);
    return status == IR_OK ? open_lane(tap, &tap->processed, CHANNEL, IR_EXCHANGE_PROCESSED,
                                       patterns.all, patterns.count, error)
                           : status;
}

/* The user may lack the right; then the rest is shown, unless only this was asked for. */
static ir_status_t listen_rejected(tap_t *tap, ir_error_t *error) {
    static const char *const all[] = {""};
    const ir_status_t status =
        open_lane(tap, &tap->rejected, CHANNEL_REJECTED, IR_EXCHANGE_REJECTED, all, 1, error);
    if (status == IR_ERR_AUTH && tap->options->show == IR_TAP_ALL) {
        ir_log(IR_LOG_WARN, IR_TEXT_TAP_BLIND);
        return IR_OK;
    }
    return status;
}

static ir_status_t open_lanes(tap_t *tap, ir_error_t *error) {
    ir_status_t status = IR_OK;
    tap->processed.channel = tap->rejected.channel = 0;
    if (tap->options->show != IR_TAP_REJECTED) {
        status = listen_processed(tap, error);
    }
    if (status == IR_OK && tap->options->show != IR_TAP_PROCESSED) {
        status = listen_rejected(tap, error);
    }
    return status;
}

/* ---- messages ---- */

static void copy_header(const amqp_table_entry_t *entry, const char *name,
                        char out[static HEADER_SIZE]) {
    if (ir_view_equal(ir_broker_view(entry->key), ir_view_text(name)) &&
        entry->value.kind == AMQP_FIELD_KIND_UTF8) {
        snprintf(out, HEADER_SIZE, "%.*s", (int)entry->value.value.bytes.len,
                 (const char *)entry->value.value.bytes.bytes);
    }
}

/* What the worker says of a refusal (docs/reference/formats.md); the broker's own letters have none
 * of it. */
static void look_at_letter(void *context, const amqp_basic_properties_t *properties) {
    letter_t *letter = context;
    *letter = (letter_t){.reason = "dead-lettered by the broker", .refused = 1};
    if ((properties->_flags & AMQP_BASIC_HEADERS_FLAG) == 0) {
        return;
    }
    for (int i = 0; i < properties->headers.num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->headers.entries[i];
        copy_header(entry, "reason", letter->reason);
        copy_header(entry, "detail", letter->detail);
        if (ir_view_equal(ir_broker_view(entry->key), ir_view_text("refused"))) {
            letter->refused = entry->value.kind == AMQP_FIELD_KIND_I32   ? entry->value.value.i32
                              : entry->value.kind == AMQP_FIELD_KIND_I64 ? entry->value.value.i64
                                                                         : letter->refused;
        }
    }
}

/* What stands before and behind the first dot of a routing key. */
static void split(ir_view_t key, ir_view_t *before, ir_view_t *behind) {
    const char *dot = key.size > 0 ? memchr(key.data, '.', key.size) : NULL;
    const size_t size = dot != NULL ? (size_t)(dot - key.data) : key.size;
    *before = ir_view(key.data, size);
    *behind = dot != NULL ? ir_view(dot + 1, key.size - size - 1) : ir_view("", 0);
}

static void take_message(tap_t *tap, lane_t *lane, const ir_assembled_t *message) {
    ir_view_t before;
    ir_view_t mote;
    split(message->routing_key, &before, &mote);
    if (lane == &tap->processed) {
        ir_show_processed(&tap->show, before, mote, message->body, message->size);
    } else {
        ir_show_rejected(&tap->show, mote, ir_view_text(tap->letter.reason),
                         ir_view_text(tap->letter.detail), tap->letter.refused, message->size);
    }
    lane->last = message->tag;
    lane->owes = true;
    tap->unacknowledged++;
}

static void acknowledge(tap_t *tap) {
    lane_t *lanes[] = {&tap->processed, &tap->rejected};
    for (size_t i = 0; i < 2; i++) {
        if (lanes[i]->owes) {
            (void)amqp_basic_ack(tap->connection, lanes[i]->channel, lanes[i]->last, 1);
            lanes[i]->owes = false;
        }
    }
    tap->unacknowledged = 0;
}

static ir_status_t take_frame(tap_t *tap, const amqp_frame_t *frame, ir_error_t *error) {
    ir_assembled_t message;
    lane_t *lane = frame->channel == CHANNEL_REJECTED ? &tap->rejected : &tap->processed;
    if (frame->channel == 0) {
        bool blocked = false;
        return ir_broker_control(tap->connection, frame, &blocked, error);
    }
    if (frame->frame_type == AMQP_FRAME_METHOD &&
        frame->payload.method.id != AMQP_BASIC_DELIVER_METHOD) {
        ir_error_set(error, IR_ERR_CONNECT, "the broker ended the subscription");
        (void)ir_broker_refusal(&frame->payload.method, "the subscription was closed", error);
        return IR_ERR_CONNECT;
    }
    switch (ir_assembly_take(&lane->assembly, frame, BODY_MOST, &message)) {
    case IR_ASSEMBLY_MORE:
        return IR_OK;
    case IR_ASSEMBLY_COMPLETE:
        take_message(tap, lane, &message);
        return IR_OK;
    case IR_ASSEMBLY_MEMORY:
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a message");
    default:
        return ir_error_set(error, IR_ERR_PROTOCOL, "a frame does not belong where it is");
    }
}

/* ---- once a second ---- */

/* A full queue loses its oldest messages; how many, the broker does not say. */
static void look_at_queue(tap_t *tap, const lane_t *lane) {
    if (lane->channel == 0) {
        return;
    }
    const amqp_queue_declare_ok_t *found =
        amqp_queue_declare(tap->connection, lane->channel, amqp_cstring_bytes(lane->queue), 1, 0, 1,
                           1, amqp_empty_table);
    if (found != NULL && found->message_count >= QUEUE_MOST) {
        ir_log(IR_LOG_WARN, IR_TEXT_TAP_SLOW);
    }
}

static void tell_missed(uint64_t count) {
    if (count > 0) {
        ir_log(IR_LOG_WARN, IR_TEXT_OUTPUT_SLOW, count);
    }
}

static void every_second(tap_t *tap) {
    const int64_t now_ns = ir_clock_monotonic();
    const uint64_t missed = ir_printer_missed(tap->show.printer);
    if (now_ns - tap->figures_ns < IR_SECOND_NS) {
        return;
    }
    look_at_queue(tap, &tap->processed);
    look_at_queue(tap, &tap->rejected);
    tell_missed(missed - tap->told_missed);
    if (tap->options->rate) {
        ir_show_rate(&tap->show, (double)(now_ns - tap->figures_ns) / (double)IR_SECOND_NS,
                     missed - tap->told_missed);
    }
    tap->told_missed = missed;
    tap->figures_ns = now_ns;
}

static bool is_done(const tap_t *tap) {
    return stop || (tap->options->limit > 0 && tap->show.lines >= (uint64_t)tap->options->limit) ||
           ir_printer_broken(tap->show.printer);
}

/* ---- life ---- */

/* Returns when done (IR_OK) or when the connection is of no use any more. The library drives the
 * heartbeats while it waits. */
static ir_status_t listen_on(tap_t *tap, ir_error_t *error) {
    ir_status_t status = IR_OK;
    tap->figures_ns = ir_clock_monotonic();
    while (status == IR_OK && !is_done(tap)) {
        const struct timeval wait = {.tv_usec = WAIT_NS / 1000};
        amqp_frame_t frame;
        const int read = amqp_simple_wait_frame_noblock(tap->connection, &frame, &wait);
        if (read == AMQP_STATUS_OK) {
            status = take_frame(tap, &frame, error);
            amqp_maybe_release_buffers_on_channel(tap->connection, frame.channel);
        } else if (read != AMQP_STATUS_TIMEOUT) {
            status = ir_broker_fault(read, "the connection broke", error);
        }
        if (status == IR_OK &&
            (read == AMQP_STATUS_TIMEOUT || tap->unacknowledged >= PREFETCH / 4)) {
            acknowledge(tap);
        }
        if (status == IR_OK) {
            every_second(tap);
        }
    }
    return status;
}

static ir_status_t run_session(tap_t *tap, unsigned attempt, ir_backoff_t *backoff,
                               ir_error_t *error) {
    ir_broker_options_t broker;
    ir_broker_settings_options(&tap->options->broker, "ir-tap", tap->options->timeout_ns, &broker);
    broker.receives = true;
    ir_status_t status = ir_broker_connect(&broker, attempt, &tap->connection, error);
    if (status != IR_OK) {
        return status;
    }
    ir_assembly_init(&tap->processed.assembly);
    ir_assembly_init(&tap->rejected.assembly);
    tap->rejected.assembly.look = look_at_letter;
    tap->rejected.assembly.context = &tap->letter;
    status = open_lanes(tap, error);
    if (status == IR_OK) {
        ir_log(IR_LOG_INFO, "listening");
        ir_backoff_reset(backoff);
        status = listen_on(tap, error);
    }
    ir_assembly_free(&tap->processed.assembly);
    ir_assembly_free(&tap->rejected.assembly);
    ir_broker_disconnect(tap->connection);
    tap->connection = NULL;
    return status;
}

static bool may_help_later(ir_status_t status) {
    return status != IR_OK && status != IR_ERR_AUTH && status != IR_ERR_USAGE &&
           status != IR_ERR_NOT_FOUND && status != IR_ERR_MEMORY;
}

static void pause_for(int64_t wait_ns) {
    const int64_t end_ns = ir_clock_monotonic() + wait_ns;
    while (ir_clock_monotonic() < end_ns && !stop) {
        nanosleep(&(struct timespec){.tv_nsec = 20 * IR_MILLISECOND_NS}, NULL);
    }
}

static void on_signal(int number) {
    (void)number;
    stop = 1;
}

static ir_status_t run_sessions(tap_t *tap, ir_error_t *error) {
    ir_backoff_t backoff;
    ir_status_t status = IR_OK;
    ir_backoff_init(&backoff, FIRST_BACKOFF_NS, LONGEST_BACKOFF_NS);
    for (unsigned attempt = 0; !is_done(tap); attempt++) {
        status = run_session(tap, attempt, &backoff, error);
        if (!may_help_later(status)) {
            return status;
        }
        ir_log(IR_LOG_WARN, "%s; trying again: what passes meanwhile is not seen", error->text);
        pause_for(ir_backoff_next(&backoff));
    }
    return IR_OK;
}

static ir_status_t check_filters(const ir_tap_options_t *options, ir_error_t *error) {
    const char *formats = ir_setting_text(options->format);
    ir_view_t format;
    const bool filters =
        ir_setting_text(options->property) != NULL || ir_setting_text(options->quality) != NULL;
    while (filters && formats != NULL && next_word(&formats, &format)) {
        if (!ir_item_readable(format) || ir_view_equal(format, ir_view_text("senml"))) {
            return ir_error_set(error, IR_ERR_USAGE,
                                "format: %.*s tells neither property nor quality; json, jsonld and "
                                "sensorthings do",
                                IR_VIEW_ARG(format));
        }
    }
    return IR_OK;
}

ir_status_t ir_tap_run(const ir_tap_options_t *options, ir_error_t *error) {
    static tap_t tap;
    const struct sigaction action = {.sa_handler = on_signal};
    tap = (tap_t){.options = options, .show.options = options};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    ir_status_t status = check_filters(options, error);
    if (status == IR_OK) {
        status = ir_printer_start(stdout, &tap.show.printer, error);
    }
    if (status == IR_OK) {
        ir_buffer_init(&tap.show.text);
        status = run_sessions(&tap, error);
        ir_buffer_free(&tap.show.text);
    }
    const bool broken = tap.show.printer != NULL && ir_printer_broken(tap.show.printer);
    const uint64_t missed = tap.show.printer != NULL ? ir_printer_missed(tap.show.printer) : 0;
    tell_missed(missed - tap.told_missed); /* now: a reader that is slow may make the end wait */
    tell_missed(ir_printer_stop(tap.show.printer, !stop && !broken));
    return broken ? ir_error_set(error, IR_ERR_IO, "cannot write the output") : status;
}
