#include "loadgen/produce/producer.h"

#include "common/clock.h"
#include "loadgen/source/source_open.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define REAL_FILE "loadgen/usgs_river_observations.csv.gz"
#define MESSAGES 500
#define WAIT_NS (20 * IR_SECOND_NS)

/* A sender that records its messages and fails as the test requests. Only the producer's thread
 * uses it until that thread has ended. */
typedef struct ir_fake {
    unsigned answers_kept; /* this many of the newest messages stay unanswered */
    unsigned fail_every;   /* one in this many pushes answers RETRY; 0: none */
    unsigned refuse_every; /* one in this many messages is refused; 0: none */
    unsigned again_every;  /* one in this many messages is deferred once */
    ir_status_t reject;    /* every send fails with this status; IR_OK: no send fails */
    bool no_login;
    ir_answers_t answers;
    unsigned motes[MESSAGES * 40];     /* as given, in order */
    uint64_t open[IR_SENDER_OPEN_MAX]; /* given and not answered, in order */
    unsigned n_given, n_open, n_pushes, n_answers;
} ir_fake_t;

static ir_fake_t fake;
static ir_source_t source;
static char path[] = "/tmp/ir-test-producer-XXXXXX";

static void *open_fake(const ir_target_t *target, const ir_answers_t *answers) {
    (void)target;
    fake.answers = *answers;
    return &fake;
}

static void close_fake(void *sender) {
    (void)sender;
}

static ir_outcome_t connect_fake(void *sender, ir_error_t *error) {
    (void)sender;
    if (fake.no_login) {
        ir_error_set(error, IR_ERR_AUTH, "wrong password");
        return IR_OUTCOME_RETRY;
    }
    return IR_OUTCOME_OK;
}

static ir_outcome_t send_fake(void *sender, const ir_parcel_t *parcel, ir_error_t *error) {
    (void)sender;
    if (fake.reject != IR_OK) {
        ir_error_set(error, fake.reject, "too long");
        return IR_OUTCOME_REFUSED;
    }
    assert_true(fake.n_given < sizeof fake.motes / sizeof fake.motes[0]);
    fake.motes[fake.n_given++] = parcel->mote_number;
    fake.open[fake.n_open++] = parcel->number;
    return IR_OUTCOME_OK;
}

static void answer_one(uint64_t number) {
    fake.n_answers++;
    if (fake.again_every > 0 && fake.n_answers % fake.again_every == 0) {
        fake.answers.take(fake.answers.context, number, IR_ANSWER_AGAIN, "later");
    }
    if (fake.refuse_every > 0 && fake.n_answers % fake.refuse_every == 0) {
        fake.answers.take(fake.answers.context, number, IR_ANSWER_REFUSED, "no");
    } else {
        fake.answers.take(fake.answers.context, number, IR_ANSWER_CONFIRMED, NULL);
    }
}

static ir_outcome_t push_fake(void *sender, int64_t wait_ns, ir_error_t *error) {
    (void)sender;
    (void)wait_ns;
    if (fake.fail_every > 0 && ++fake.n_pushes % fake.fail_every == 0 && fake.n_open > 0) {
        fake.n_open = 0;
        ir_error_set(error, IR_ERR_CONNECT, "gone");
        return IR_OUTCOME_RETRY;
    }
    const unsigned n_answered =
        fake.n_open > fake.answers_kept ? fake.n_open - fake.answers_kept : 0;
    for (unsigned i = 0; i < n_answered; i++) {
        answer_one(fake.open[i]);
    }
    memmove(fake.open, fake.open + n_answered, (fake.n_open - n_answered) * sizeof fake.open[0]);
    fake.n_open -= n_answered;
    return IR_OUTCOME_OK;
}

static const ir_sender_t fake_sender = {
    .name = "fake",
    .multiplexes = true,
    .open = open_fake,
    .close = close_fake,
    .connect = connect_fake,
    .send = send_fake,
    .push = push_fake,
};
static const ir_target_t fake_target = {.sender = &fake_sender, .connections = 1};

static int begin_all(void **state) {
    (void)state;
    ir_error_t error;
    const ir_source_options_t options = {.replay = REAL_FILE, .repeat = 1, .messages = MESSAGES};
    const int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0 || ir_source_open(&options, &source, &error) != IR_OK;
}

static int end_all(void **state) {
    (void)state;
    ir_source_close(&source);
    return unlink(path);
}

static int begin(void **state) {
    (void)state;
    memset(&fake, 0, sizeof fake);
    return 0;
}

static ir_ledger_writer_t *open_ledger(void) {
    ir_ledger_writer_t *ledger = NULL;
    assert_int_equal(ir_ledger_create(path, &ledger, NULL), IR_OK);
    return ledger;
}

static pthread_mutex_t ledger_mutex = PTHREAD_MUTEX_INITIALIZER;

static const ir_order_t at_once = {.end_ns = INT64_MAX};

static ir_producer_t *start_with(const ir_producer_options_t *options, ir_tracker_t *tracker,
                                 ir_ledger_writer_t *ledger) {
    const ir_producer_shared_t shared = {
        .source = &source, .tracker = tracker, .ledger = ledger, .ledger_mutex = &ledger_mutex};
    ir_producer_t *producer = NULL;
    ir_error_t error;
    assert_int_equal(ir_producer_start(options, &shared, &producer, &error), IR_OK);
    return producer;
}

static ir_producer_options_t options_of(unsigned window) {
    return (ir_producer_options_t){.target = &fake_target,
                                   .producers = 1,
                                   .lanes = 1,
                                   .window = window,
                                   .retry_ns = WAIT_NS,
                                   .stall_ns = IR_MILLISECOND_NS};
}

static ir_producer_t *start(ir_tracker_t *tracker, ir_ledger_writer_t *ledger, unsigned window) {
    const ir_producer_options_t options = options_of(window);
    ir_producer_t *producer = start_with(&options, tracker, ledger);
    ir_producer_begin(producer, &at_once);
    return producer;
}

static void pause_a_moment(void) {
    const struct timespec moment = {.tv_nsec = IR_MILLISECOND_NS};
    nanosleep(&moment, NULL);
}

static ir_status_t finish(ir_producer_t *producer, ir_producer_counts_t *counts,
                          ir_error_t *error) {
    const int64_t end_ns = ir_clock_monotonic() + WAIT_NS;
    while (!ir_producer_done(producer) && ir_clock_monotonic() < end_ns) {
        pause_a_moment();
    }
    assert_true(ir_producer_done(producer));
    const ir_status_t status = ir_producer_join(producer, error);
    *counts = (ir_producer_counts_t){0};
    ir_producer_count(producer, counts);
    ir_producer_free(producer);
    return status;
}

/* Returns the number of lines of the ledger that begin with `kind`. */
static unsigned ledger_lines(char kind) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char line[100];
    unsigned count = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        count += line[0] == kind;
    }
    assert_int_equal(fclose(file), 0);
    return count;
}

static void all_is_sent_and_confirmed(void **state) {
    (void)state;
    ir_producer_counts_t counts;
    ir_error_t error;
    ir_ledger_writer_t *ledger = open_ledger();
    assert_int_equal(finish(start(NULL, ledger, 50), &counts, &error), IR_OK);
    assert_int_equal(ir_ledger_close(ledger, &error), IR_OK);
    assert_int_equal(counts.messages_sent, MESSAGES);
    assert_int_equal(counts.messages_confirmed, MESSAGES);
    assert_int_equal(counts.observations_confirmed, source.observations);
    assert_int_equal(counts.resent, 0);
    assert_true(counts.first_send_ns > 0 && counts.last_confirm_ns >= counts.first_send_ns);
    assert_int_equal(fake.n_given, MESSAGES);
    assert_int_equal(ledger_lines('m'), MESSAGES);
    assert_int_equal(ledger_lines('o'), source.observations);
    assert_int_equal(ledger_lines('u') + ledger_lines('p'), 0);
}

/* After each failure, all unanswered messages are sent again in order. The ledger has every message
 * once. */
static void failures_are_sent_again(void **state) {
    (void)state;
    ir_producer_counts_t counts;
    ir_error_t error;
    fake.fail_every = 7;
    ir_ledger_writer_t *ledger = open_ledger();
    ir_tracker_t *tracker = ir_tracker_new(MESSAGES, source.motes, 1, false);
    assert_int_equal(finish(start(tracker, ledger, 60), &counts, &error), IR_OK);
    assert_int_equal(ir_ledger_close(ledger, &error), IR_OK);
    assert_int_equal(counts.messages_confirmed, MESSAGES);
    assert_true(counts.resent > 0);
    assert_int_equal(fake.n_given, MESSAGES + counts.resent);
    assert_int_equal(ledger_lines('m'), MESSAGES);
    assert_int_equal(ledger_lines('o'), source.observations);
    ir_tracker_counts_t back;
    ir_tracker_count(tracker, &back);
    assert_int_equal(back.expected, MESSAGES);
    ir_tracker_free(tracker);
}

static void what_is_not_confirmed_stands_so_in_the_ledger(void **state) {
    (void)state;
    ir_producer_counts_t counts;
    ir_error_t error;
    fake.answers_kept = 10;
    ir_ledger_writer_t *ledger = open_ledger();
    ir_producer_t *producer = start(NULL, ledger, 50);
    const int64_t end_ns = ir_clock_monotonic() + WAIT_NS;
    do {
        pause_a_moment();
        counts = (ir_producer_counts_t){0};
        ir_producer_count(producer, &counts);
    } while (counts.messages_confirmed < MESSAGES - 10 && ir_clock_monotonic() < end_ns);
    ir_producer_stop(producer);
    pause_a_moment();
    assert_false(ir_producer_done(producer));
    ir_producer_abandon(producer);
    assert_int_equal(finish(producer, &counts, &error), IR_OK);
    assert_int_equal(ir_ledger_close(ledger, &error), IR_OK);
    assert_int_equal(counts.messages_sent, MESSAGES);
    assert_int_equal(counts.messages_confirmed, MESSAGES - 10);
    assert_int_equal(counts.messages_lost, 10);
    assert_int_equal(counts.observations_lost + counts.observations_confirmed, source.observations);
    assert_int_equal(ledger_lines('m'), MESSAGES - 10);
    assert_int_equal(ledger_lines('u'), 10);
    assert_int_equal(ledger_lines('o') + ledger_lines('p'), source.observations);
}

/* A refused message is not sent again. The ledger lists it as possibly stored only if an earlier
 * attempt may have arrived. */
static void refused_and_put_off(void **state) {
    (void)state;
    ir_producer_counts_t counts;
    ir_error_t error;
    fake.refuse_every = 5;
    fake.again_every = 7;
    ir_ledger_writer_t *ledger = open_ledger();
    ir_tracker_t *tracker = ir_tracker_new(MESSAGES, source.motes, 1, false);
    assert_int_equal(finish(start(tracker, ledger, 50), &counts, &error), IR_OK);
    assert_int_equal(ir_ledger_close(ledger, &error), IR_OK);
    assert_int_equal(counts.messages_sent, MESSAGES);
    assert_int_equal(counts.messages_refused, MESSAGES / 5);
    assert_int_equal(counts.unmeant, MESSAGES / 5);
    assert_int_equal(counts.messages_confirmed, MESSAGES - MESSAGES / 5);
    assert_int_equal(counts.messages_lost, 0);
    assert_int_equal(counts.resent, MESSAGES / 7);
    assert_int_equal(counts.failures, MESSAGES / 7);
    assert_int_equal(ledger_lines('u'), MESSAGES / 5);
    ir_tracker_counts_t back;
    ir_tracker_count(tracker, &back);
    assert_int_equal(back.by_fate[IR_FATE_REFUSED], MESSAGES / 5);
    assert_int_equal(back.by_fate[IR_FATE_MISSING], MESSAGES - MESSAGES / 5);
    ir_tracker_free(tracker);
}

/* Each producer sends the messages of its own motes. Together they send all messages. */
static void parts_make_the_whole(void **state) {
    (void)state;
    ir_error_t error;
    ir_producer_options_t options = options_of(50);
    uint64_t sent = 0;
    for (options.index = 0, options.producers = 3; options.index < options.producers;
         options.index++) {
        ir_producer_counts_t counts;
        const unsigned before = fake.n_given;
        ir_producer_t *producer = start_with(&options, NULL, NULL);
        ir_producer_begin(producer, &at_once);
        assert_int_equal(finish(producer, &counts, &error), IR_OK);
        for (unsigned i = before; i < fake.n_given; i++) {
            assert_int_equal(fake.motes[i] % 3, options.index);
        }
        sent += counts.messages_confirmed;
    }
    assert_int_equal(sent, MESSAGES);
    options.index = source.motes; /* no message is left for it */
    options.producers = source.motes + 1;
    ir_producer_counts_t counts;
    assert_int_equal(finish(start_with(&options, NULL, NULL), &counts, &error), IR_OK);
    assert_int_equal(counts.messages_sent, 0);
}

static void await_idle(const ir_producer_t *producer) {
    const int64_t end_ns = ir_clock_monotonic() + WAIT_NS;
    while (!ir_producer_idle(producer) && ir_clock_monotonic() < end_ns) {
        pause_a_moment();
    }
    assert_true(ir_producer_idle(producer));
}

/* No thread could send that fast. Late messages are counted and sent later, and count as the
 * producer's own delay. */
static void orders_end_in_time(void **state) {
    (void)state;
    ir_producer_counts_t counts = {0};
    ir_error_t error;
    ir_latency_t confirms;
    ir_histogram_t *late = ir_histogram_new(IR_LATENCY_HIGHEST_US, IR_LATENCY_DIGITS);
    assert_true(ir_latency_init(&confirms));
    const ir_producer_options_t options = options_of(MESSAGES);
    ir_producer_t *producer = start_with(&options, NULL, NULL);
    const int64_t start_ns = ir_clock_monotonic() - IR_SECOND_NS;
    const ir_order_t past = {
        .pattern = {.rate = 100}, .start_ns = start_ns, .end_ns = start_ns + IR_SECOND_NS / 2};
    ir_producer_begin(producer, &past);
    await_idle(producer);
    ir_producer_count(producer, &counts);
    assert_int_equal(counts.messages_sent, 0);
    assert_true(counts.observations_unsent >= 50 && counts.observations_unsent < 60);
    const ir_order_t behind = {.pattern = {.rate = 1e8}, .start_ns = start_ns, .end_ns = INT64_MAX};
    ir_producer_begin(producer, &behind);
    await_idle(producer);
    ir_producer_finish(producer);
    const int64_t end_ns = ir_clock_monotonic() + WAIT_NS;
    while (!ir_producer_done(producer) && ir_clock_monotonic() < end_ns) {
        pause_a_moment();
    }
    ir_producer_take(producer, &confirms, late);
    assert_int_equal(ir_histogram_count(confirms.corrected), MESSAGES);
    assert_int_equal(ir_histogram_count(late), MESSAGES);
    assert_true(ir_histogram_percentile(late, 99) > 900000);
    assert_int_equal(finish(producer, &counts, &error), IR_OK);
    assert_int_equal(counts.messages_confirmed, MESSAGES);
    ir_latency_free(&confirms);
    ir_histogram_free(late);
}

static void what_can_never_go_is_refused_and_the_run_goes_on(void **state) {
    (void)state;
    ir_producer_counts_t counts;
    ir_error_t error;
    fake.reject = IR_ERR_RANGE;
    assert_int_equal(finish(start(NULL, NULL, 50), &counts, &error), IR_OK);
    assert_int_equal(counts.messages_sent, MESSAGES);
    assert_int_equal(counts.messages_refused, MESSAGES);
}

static void memory_and_login_end_it(void **state) {
    (void)state;
    ir_producer_counts_t counts;
    ir_error_t error;
    fake.reject = IR_ERR_MEMORY;
    assert_int_equal(finish(start(NULL, NULL, 50), &counts, &error), IR_ERR_MEMORY);
    assert_string_equal(error.text, "too long");
    fake.no_login = true;
    assert_int_equal(finish(start(NULL, NULL, 50), &counts, &error), IR_ERR_AUTH);
    assert_int_equal(counts.messages_sent, 0);
}

static void a_tracker_without_room_ends_it(void **state) {
    (void)state;
    ir_producer_counts_t counts;
    ir_error_t error;
    ir_tracker_t *tracker = ir_tracker_new(20, source.motes, 1, false);
    assert_int_equal(finish(start(tracker, NULL, 50), &counts, &error), IR_ERR_TIMEOUT);
    assert_int_equal(counts.messages_sent, 20);
    ir_tracker_free(tracker);
}

/* ---- messages with times relative to their arrival ---- */

/* Sends all messages, with failures. The ledger is in `path`. */
static void send_arrivals(const ir_sender_t *sender, ir_source_t *arrivals,
                          ir_producer_counts_t *counts) {
    const ir_source_options_t wanted = {
        .simulate = 10,
        .seed = 5,
        .records = 7,
        .interval_ns = 900 * IR_SECOND_NS,
        .messages = MESSAGES,
        .timings = {.relative = 0.3, .clockless = 0.3, .named = 0.5}};
    const ir_target_t target = {.sender = sender, .connections = 1};
    ir_error_t error;
    ir_producer_options_t options = options_of(60);
    options.target = &target;
    fake.fail_every = 7;
    assert_int_equal(ir_source_open(&wanted, arrivals, &error), IR_OK);
    ir_ledger_writer_t *ledger = open_ledger();
    const ir_producer_shared_t shared = {
        .source = arrivals, .ledger = ledger, .ledger_mutex = &ledger_mutex};
    ir_producer_t *producer = NULL;
    assert_int_equal(ir_producer_start(&options, &shared, &producer, &error), IR_OK);
    ir_producer_begin(producer, &at_once);
    assert_int_equal(finish(producer, counts, &error), IR_OK);
    assert_int_equal(ir_ledger_close(ledger, &error), IR_OK);
}

static ir_id_t id_of(const ir_source_t *arrivals, uint64_t number, ir_raw_kind_t kind) {
    ir_source_message_t message;
    ir_buffer_t body;
    ir_id_t id;
    ir_buffer_init(&body);
    ir_source_get(arrivals, number, &message);
    ir_source_body(arrivals, number, &body);
    ir_id_raw(&(ir_raw_key_t){.kind = kind,
                              .mote = message.mote,
                              .body = ir_buffer_view(&body),
                              .name = ir_view_text(message.name)},
              &id);
    ir_buffer_free(&body);
    return id;
}

/* Counts the lines of the ledger with this beginning and this end. */
static unsigned lines_with(const char *begin, const char *end) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char line[400];
    unsigned count = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        const size_t size = strlen(line);
        count += strncmp(line, begin, strlen(begin)) == 0 && size >= strlen(end) &&
                 strcmp(line + size - strlen(end), end) == 0;
    }
    assert_int_equal(fclose(file), 0);
    return count;
}

static void check_arrival_lines(const ir_source_t *arrivals, bool names) {
    unsigned named = 0;
    for (uint64_t number = 0; number < MESSAGES; number++) {
        ir_source_message_t message;
        char content[IR_ID_TEXT_SIZE];
        char raw[IR_ID_TEXT_SIZE];
        char begin_text[200];
        char end_text[200] = " 1\n";
        ir_source_get(arrivals, number, &message);
        if (message.timed.timing == IR_TIMING_ABSOLUTE) {
            continue;
        }
        const ir_id_t content_id = id_of(arrivals, number, IR_RAW_PLAIN);
        const ir_id_t raw_id = id_of(arrivals, number, IR_RAW_NAMED);
        snprintf(begin_text, sizeof begin_text, "t %s %.*s 7 ", ir_id_format(&content_id, content),
                 IR_VIEW_ARG(message.mote));
        if (names && message.name[0] != '\0') {
            named++;
            snprintf(end_text, sizeof end_text, " 1 %s %s\n", ir_id_format(&raw_id, raw),
                     message.name);
        }
        assert_int_equal(lines_with(begin_text, end_text), 1);
    }
    assert_true(names == (named > 50));
}

static uint64_t sendings(void) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char line[400];
    uint64_t sum = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned sent = 0;
        if (sscanf(line, "t %*s %*s %*u %u", &sent) == 1) {
            sum += sent;
        }
    }
    assert_int_equal(fclose(file), 0);
    return sum;
}

static void arrivals_stand_in_the_ledger_with_their_sendings(void **state) {
    (void)state;
    ir_producer_counts_t counts;
    ir_source_t arrivals = {0};
    ir_sender_t sender = fake_sender;
    sender.names = true;
    send_arrivals(&sender, &arrivals, &counts);
    check_arrival_lines(&arrivals, true);
    assert_true(counts.resent > 0);
    assert_true(sendings() > ledger_lines('t'));
    assert_true(sendings() <= ledger_lines('t') + counts.resent);
    assert_int_equal(ledger_lines('t') + ledger_lines('m'), MESSAGES);
    ir_source_close(&arrivals);
}

/* MQTT messages have no names. */
static void without_a_place_for_names_there_are_none(void **state) {
    (void)state;
    ir_producer_counts_t counts;
    ir_source_t arrivals = {0};
    send_arrivals(&fake_sender, &arrivals, &counts);
    check_arrival_lines(&arrivals, false);
    ir_source_close(&arrivals);
}

static void full_disk_ends_it(void **state) {
    (void)state;
    ir_producer_counts_t counts;
    ir_error_t error;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {10000, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    ir_ledger_writer_t *ledger = open_ledger();
    const ir_status_t ended = finish(start(NULL, ledger, 50), &counts, &error);
    const ir_status_t closed = ir_ledger_close(ledger, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(ended == IR_ERR_IO || closed == IR_ERR_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_is_sent_and_confirmed, begin),
        cmocka_unit_test_setup(failures_are_sent_again, begin),
        cmocka_unit_test_setup(what_is_not_confirmed_stands_so_in_the_ledger, begin),
        cmocka_unit_test_setup(refused_and_put_off, begin),
        cmocka_unit_test_setup(parts_make_the_whole, begin),
        cmocka_unit_test_setup(arrivals_stand_in_the_ledger_with_their_sendings, begin),
        cmocka_unit_test_setup(without_a_place_for_names_there_are_none, begin),
        cmocka_unit_test_setup(orders_end_in_time, begin),
        cmocka_unit_test_setup(what_can_never_go_is_refused_and_the_run_goes_on, begin),
        cmocka_unit_test_setup(memory_and_login_end_it, begin),
        cmocka_unit_test_setup(a_tracker_without_room_ends_it, begin),
        cmocka_unit_test_setup(full_disk_ends_it, begin),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
