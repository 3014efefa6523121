#include "tap/tap.h"

#include "annotation/formats/format.h"
#include "broker/subscription.h"
#include "broker/topology.h"
#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/messages.h"
#include "common/program.h"
#include "observation/quality_tests.h"
#include "tap/item.h"
#include "tap/show.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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
static volatile sig_atomic_t connecting; /* cannot be interrupted, and nothing is to be kept */

typedef struct letter {
    char key[HEADER_SIZE], reason[HEADER_SIZE], detail[HEADER_SIZE];
    int64_t refused;
} letter_t;

typedef struct tap {
    const ir_tap_options_t *options;
    ir_subscription_t *subscription;
    letter_t letter; /* headers of a message in ir.rejected */
    ir_show_t show;
    uint64_t told_missed;
    int64_t figures_ns; /* when figures were last shown */
} tap_t;

/* ---- messages ---- */

static void copy_text(ir_view_t text, char out[static HEADER_SIZE]) {
    snprintf(out, HEADER_SIZE, "%.*s", IR_VIEW_ARG(text));
}

/* The worker's headers for a rejection (docs/reference/formats.md). Messages dead-lettered by the
 * broker have none. */
static void look_at_letter(void *context, const ir_headers_t *headers) {
    letter_t *letter = &((tap_t *)context)->letter;
    *letter = (letter_t){.reason = "dead-lettered by the broker",
                         .refused = ir_headers_integer(headers, "refused", 1)};
    const ir_view_t reason = ir_headers_text(headers, "reason");
    if (reason.size > 0) {
        copy_text(reason, letter->reason);
    }
    copy_text(ir_headers_text(headers, "detail"), letter->detail);
}

/* Splits a routing key at its first dot. */
static void split(ir_view_t key, ir_view_t *before, ir_view_t *behind) {
    const char *dot = key.size > 0 ? memchr(key.data, '.', key.size) : NULL;
    const size_t size = dot != NULL ? (size_t)(dot - key.data) : key.size;
    *before = ir_view(key.data, size);
    *behind = dot != NULL ? ir_view(dot + 1, key.size - size - 1) : ir_view("", 0);
}

static void take_processed(void *context, const ir_assembled_t *message) {
    tap_t *tap = context;
    ir_view_t format;
    ir_view_t mote;
    split(message->routing_key, &format, &mote);
    ir_show_processed(&tap->show, format, mote, message->body, message->size);
}

static void take_rejected(void *context, const ir_assembled_t *message) {
    tap_t *tap = context;
    ir_view_t before;
    ir_view_t mote;
    split(message->routing_key, &before, &mote);
    ir_show_rejected(&tap->show, mote, ir_view_text(tap->letter.reason),
                     ir_view_text(tap->letter.detail), tap->letter.refused, message->size);
}

/* ---- listening ---- */

typedef struct patterns {
    char texts[PATTERNS_MAX][PATTERN_SIZE];
    const char *all[PATTERNS_MAX];
    size_t count;
} patterns_t;

/* Gets the next word of a list (or "" once, if the list is empty). Returns false at the end. */
static bool next_word(const char **at, ir_view_t *word) {
    if (*at == NULL) {
        return false;
    }
    const size_t size = strcspn(*at, ",");
    *word = ir_view(*at, size);
    *at = (*at)[size] == ',' ? *at + size + 1 : NULL;
    return true;
}

/* Makes the patterns FORMAT.MOTE, for each format and mote. */
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

static ir_status_t add(const tap_t *tap, const char *exchange, const char *const *patterns,
                       size_t n_patterns, const ir_subscription_reader_t *reader,
                       ir_error_t *error) {
    const ir_listen_t listen = {.exchange = exchange,
                                .patterns = patterns,
                                .n_patterns = n_patterns,
                                .prefetch = PREFETCH,
                                .most = QUEUE_MOST};
    return ir_subscription_add(tap->subscription, &listen, reader, error);
}

static ir_status_t listen_processed(tap_t *tap, ir_error_t *error) {
    static patterns_t patterns;
    const ir_subscription_reader_t reader = {
        .body_most = BODY_MOST, .message = take_processed, .context = tap};
    patterns.count = 0;
    const ir_status_t status = make_patterns(tap->options, &patterns, error);
    return status == IR_OK
               ? add(tap, IR_EXCHANGE_PROCESSED, patterns.all, patterns.count, &reader, error)
               : status;
}

/* The user may lack the permission to read ir.rejected. Then all other messages are shown, unless
 * only rejections were requested. */
static ir_status_t listen_rejected(tap_t *tap, ir_error_t *error) {
    static const char *const all[] = {""};
    const ir_subscription_reader_t reader = {.body_most = BODY_MOST,
                                             .on_headers = look_at_letter,
                                             .message = take_rejected,
                                             .context = tap};
    const ir_status_t status = add(tap, IR_EXCHANGE_REJECTED, all, 1, &reader, error);
    if (status == IR_ERR_AUTH && tap->options->show == IR_TAP_ALL) {
        ir_log(IR_LOG_WARN, IR_TEXT_TAP_BLIND);
        return IR_OK;
    }
    return status;
}

static ir_status_t subscribe(tap_t *tap, ir_error_t *error) {
    ir_status_t status = IR_OK;
    if (tap->options->show != IR_TAP_REJECTED) {
        status = listen_processed(tap, error);
    }
    if (status == IR_OK && tap->options->show != IR_TAP_PROCESSED) {
        status = listen_rejected(tap, error);
    }
    return status;
}

/* ---- once a second ---- */

/* A full queue drops its oldest messages; the broker does not report how many. */
static void look_at_queues(const tap_t *tap) {
    if (ir_subscription_full(tap->subscription)) {
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
    look_at_queues(tap);
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

/* Returns IR_OK when done, or the error when the connection fails. */
static ir_status_t listen_on(tap_t *tap, ir_error_t *error) {
    ir_status_t status = IR_OK;
    tap->figures_ns = ir_clock_monotonic();
    while (status == IR_OK && !is_done(tap)) {
        status = ir_subscription_take(tap->subscription, WAIT_NS, error);
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
    connecting = 1;
    ir_status_t status = ir_subscription_open(&broker, attempt, &tap->subscription, error);
    if (status == IR_OK) {
        status = subscribe(tap, error);
    }
    connecting = 0;
    if (status == IR_OK) {
        ir_log(IR_LOG_INFO, "listening");
        ir_backoff_reset(backoff);
        status = listen_on(tap, error);
    }
    ir_subscription_close(tap->subscription);
    tap->subscription = NULL;
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
    if (connecting) {
        _exit(IR_EXIT_DONE);
    }
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
        ir_log(IR_LOG_WARN, "%s; reconnecting: messages in the meantime are not shown",
               error->text);
        pause_for(ir_backoff_next(&backoff));
    }
    return IR_OK;
}

static ir_status_t check_qualities(const ir_tap_options_t *options, ir_error_t *error) {
    const char *qualities = ir_setting_text(options->quality);
    ir_view_t quality;
    while (qualities != NULL && next_word(&qualities, &quality)) {
        if (ir_flag_find(quality) == 0) {
            return ir_error_set(error, IR_ERR_USAGE, "quality: '%.*s' is not one of " IR_FLAG_NAMES,
                                IR_VIEW_ARG(quality));
        }
    }
    return IR_OK;
}

static ir_status_t check_formats(const ir_tap_options_t *options, ir_error_t *error) {
    const char *formats = ir_setting_text(options->format);
    ir_view_t format;
    const bool filters =
        ir_setting_text(options->property) != NULL || ir_setting_text(options->quality) != NULL;
    while (formats != NULL && next_word(&formats, &format)) {
        if (ir_format_find(format) == NULL) {
            return ir_error_set(error, IR_ERR_USAGE,
                                "format: '%.*s' is not one of " IR_FORMAT_NAMES,
                                IR_VIEW_ARG(format));
        }
        if (!filters) {
            continue;
        }
        if (!ir_item_readable(format) || ir_view_equal(format, ir_view_text("senml"))) {
            return ir_error_set(error, IR_ERR_USAGE,
                                "format: %.*s contains neither property nor quality; json, jsonld "
                                "and sensorthings do",
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
    ir_status_t status = check_formats(options, error);
    if (status == IR_OK) {
        status = check_qualities(options, error);
    }
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
    tell_missed(missed - tap.told_missed); /* call this before closing the printer, because closing
                                            * may wait for a slow reader */
    tell_missed(ir_printer_stop(tap.show.printer, !stop && !broken));
    return broken ? ir_error_set(error, IR_ERR_IO, "cannot write the output") : status;
}
