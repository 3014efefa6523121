#include "loadgen/feed.h"

#include "common/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define REAL_FILE "loadgen/usgs_river_observations.csv.gz"
#define MESSAGES 500
#define WAIT_NS (20 * IR_SECOND_NS)

/* A sender that keeps what it is given and fails as the test wants. Touched by the feed's thread
 * only, until that is joined. */
typedef struct ir_fake {
    unsigned answers_kept; /* the newest so many messages stay unsettled */
    unsigned fail_every;   /* every so many pushes answers RETRY; 0: none */
    bool refuse;           /* every send is rejected */
    bool no_login;
    ir_view_t ids[MESSAGES * 40]; /* as given, in order */
    unsigned n_ids, n_sent, n_told, n_pushes;
} ir_fake_t;

static ir_fake_t fake;
static ir_source_t source;
static char path[] = "/tmp/ir-test-feed-XXXXXX";

static void *open_fake(const ir_broker_options_t *broker) {
    (void)broker;
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
    if (fake.refuse) {
        ir_error_set(error, IR_ERR_RANGE, "too long");
        return IR_OUTCOME_REJECT;
    }
    assert_true(fake.n_ids < sizeof fake.ids / sizeof fake.ids[0]);
    fake.ids[fake.n_ids++] =
        ir_view(strndup(parcel->message_id.data, parcel->message_id.size), parcel->message_id.size);
    fake.n_sent++;
    return IR_OUTCOME_OK;
}

static ir_outcome_t push_fake(void *sender, int64_t wait_ns, uint64_t *settled, ir_error_t *error) {
    (void)sender;
    (void)wait_ns;
    *settled = 0;
    if (fake.fail_every > 0 && ++fake.n_pushes % fake.fail_every == 0 &&
        fake.n_sent > fake.n_told) {
        fake.n_sent = fake.n_told = 0;
        ir_error_set(error, IR_ERR_CONNECT, "gone");
        return IR_OUTCOME_RETRY;
    }
    if (fake.n_sent > fake.n_told + fake.answers_kept) {
        *settled = fake.n_sent - fake.n_told - fake.answers_kept;
        fake.n_told = fake.n_sent - fake.answers_kept;
    }
    return IR_OUTCOME_OK;
}

static const ir_sender_t fake_sender = {
    .name = "fake",
    .open = open_fake,
    .close = close_fake,
    .connect = connect_fake,
    .send = send_fake,
    .push = push_fake,
};

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

static int end(void **state) {
    (void)state;
    for (unsigned i = 0; i < fake.n_ids; i++) {
        free((char *)fake.ids[i].data);
    }
    return 0;
}

static ir_ledger_writer_t *open_ledger(void) {
    ir_ledger_writer_t *ledger = NULL;
    assert_int_equal(ir_ledger_create(path, &ledger, NULL), IR_OK);
    return ledger;
}

static ir_feed_t *start(ir_receipts_t *receipts, ir_ledger_writer_t *ledger, unsigned window) {
    const ir_feed_options_t options = {.sender = &fake_sender,
                                       .window = window,
                                       .retry_ns = WAIT_NS,
                                       .stall_ns = IR_MILLISECOND_NS};
    ir_feed_t *feed = NULL;
    ir_error_t error;
    assert_int_equal(ir_feed_start(&options, &source, receipts, ledger, &feed, &error), IR_OK);
    return feed;
}

static void pause_a_moment(void) {
    const struct timespec moment = {.tv_nsec = IR_MILLISECOND_NS};
    nanosleep(&moment, NULL);
}

static ir_status_t finish(ir_feed_t *feed, ir_feed_counts_t *counts, ir_error_t *error) {
    const int64_t end_ns = ir_clock_monotonic() + WAIT_NS;
    while (!ir_feed_done(feed) && ir_clock_monotonic() < end_ns) {
        pause_a_moment();
    }
    assert_true(ir_feed_done(feed));
    ir_feed_count(feed, counts);
    return ir_feed_join(feed, error);
}

/* Lines of the ledger that begin with `kind`. */
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
    ir_feed_counts_t counts;
    ir_error_t error;
    ir_ledger_writer_t *ledger = open_ledger();
    assert_int_equal(finish(start(NULL, ledger, 50), &counts, &error), IR_OK);
    assert_int_equal(ir_ledger_close(ledger, &error), IR_OK);
    assert_int_equal(counts.messages_sent, MESSAGES);
    assert_int_equal(counts.messages_confirmed, MESSAGES);
    assert_int_equal(counts.observations_confirmed, source.observations);
    assert_int_equal(counts.resent, 0);
    assert_true(counts.first_send_ns > 0 && counts.last_confirm_ns >= counts.first_send_ns);
    assert_int_equal(fake.n_ids, MESSAGES);
    assert_int_equal(ledger_lines('m'), MESSAGES);
    assert_int_equal(ledger_lines('o'), source.observations);
    assert_int_equal(ledger_lines('u') + ledger_lines('p'), 0);
}

/* After each failure everything that was not settled goes again, in its order; the ledger has every
 * message once. */
static void failures_are_sent_again(void **state) {
    (void)state;
    ir_feed_counts_t counts;
    ir_error_t error;
    fake.fail_every = 7;
    ir_ledger_writer_t *ledger = open_ledger();
    ir_receipts_t *receipts = ir_receipts_new(MESSAGES, source.motes, 1, false);
    assert_int_equal(finish(start(receipts, ledger, 60), &counts, &error), IR_OK);
    assert_int_equal(ir_ledger_close(ledger, &error), IR_OK);
    assert_int_equal(counts.messages_confirmed, MESSAGES);
    assert_true(counts.resent > 0);
    assert_int_equal(fake.n_ids, MESSAGES + counts.resent);
    assert_int_equal(ledger_lines('m'), MESSAGES);
    assert_int_equal(ledger_lines('o'), source.observations);
    ir_receipts_counts_t back;
    ir_receipts_count(receipts, &back);
    assert_int_equal(back.expected, MESSAGES);
    ir_receipts_free(receipts);
}

static void what_is_not_confirmed_stands_so_in_the_ledger(void **state) {
    (void)state;
    ir_feed_counts_t counts;
    ir_error_t error;
    fake.answers_kept = 10;
    ir_ledger_writer_t *ledger = open_ledger();
    ir_feed_t *feed = start(NULL, ledger, 50);
    const int64_t end_ns = ir_clock_monotonic() + WAIT_NS;
    do {
        pause_a_moment();
        ir_feed_count(feed, &counts);
    } while (counts.messages_confirmed < MESSAGES - 10 && ir_clock_monotonic() < end_ns);
    ir_feed_stop(feed);
    pause_a_moment();
    assert_false(ir_feed_done(feed));
    ir_feed_abandon(feed);
    assert_int_equal(finish(feed, &counts, &error), IR_OK);
    assert_int_equal(ir_ledger_close(ledger, &error), IR_OK);
    assert_int_equal(counts.messages_sent, MESSAGES);
    assert_int_equal(counts.messages_confirmed, MESSAGES - 10);
    assert_int_equal(ledger_lines('m'), MESSAGES - 10);
    assert_int_equal(ledger_lines('u'), 10);
    assert_int_equal(ledger_lines('o') + ledger_lines('p'), source.observations);
}

static void refusals_end_it(void **state) {
    (void)state;
    ir_feed_counts_t counts;
    ir_error_t error;
    fake.refuse = true;
    assert_int_equal(finish(start(NULL, NULL, 50), &counts, &error), IR_ERR_RANGE);
    assert_string_equal(error.text, "too long");
    fake.no_login = true;
    assert_int_equal(finish(start(NULL, NULL, 50), &counts, &error), IR_ERR_AUTH);
    assert_int_equal(counts.messages_sent, 0);
}

static void receipts_without_room_end_it(void **state) {
    (void)state;
    ir_feed_counts_t counts;
    ir_error_t error;
    ir_receipts_t *receipts = ir_receipts_new(20, source.motes, 1, false);
    assert_int_equal(finish(start(receipts, NULL, 50), &counts, &error), IR_ERR_TIMEOUT);
    assert_int_equal(counts.messages_sent, 20);
    ir_receipts_free(receipts);
}

static void full_disk_ends_it(void **state) {
    (void)state;
    ir_feed_counts_t counts;
    ir_error_t error;
    ir_ledger_writer_t *ledger = NULL;
    assert_int_equal(ir_ledger_create("/dev/full", &ledger, &error), IR_OK);
    const ir_status_t ended = finish(start(NULL, ledger, 50), &counts, &error);
    const ir_status_t closed = ir_ledger_close(ledger, NULL);
    assert_true(ended == IR_ERR_FULL || closed == IR_ERR_FULL || closed == IR_ERR_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_is_sent_and_confirmed, begin, end),
        cmocka_unit_test_setup_teardown(failures_are_sent_again, begin, end),
        cmocka_unit_test_setup_teardown(what_is_not_confirmed_stands_so_in_the_ledger, begin, end),
        cmocka_unit_test_setup_teardown(refusals_end_it, begin, end),
        cmocka_unit_test_setup_teardown(receipts_without_room_end_it, begin, end),
        cmocka_unit_test_setup_teardown(full_disk_ends_it, begin, end),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
