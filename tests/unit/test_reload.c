#include "common/reload.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <event2/event.h>

/* An object is a number. It is "read" when the test allows it. */
typedef struct ir_desk {
    struct event_base *base;
    ir_reload_t *reload;
    sem_t let;
    atomic_int loads, frees, alive, most_alive;
    bool broken; /* the next reading fails */
    int *current;
    int swaps, failures;
    ir_error_t error;
} ir_desk_t;

static ir_desk_t *the_desk; /* `free` and `in_use` have no context, so they use this */
static bool old_in_use;

static ir_status_t load(void *context, void **made, ir_error_t *error) {
    ir_desk_t *desk = context;
    sem_wait(&desk->let);
    const int number = atomic_fetch_add(&desk->loads, 1) + 1;
    if (desk->broken) {
        return ir_error_set(error, IR_ERR_SYNTAX, "line 1: broken");
    }
    int *value = malloc(sizeof *value);
    *value = number;
    const int alive = atomic_fetch_add(&desk->alive, 1) + 1;
    if (alive > atomic_load(&desk->most_alive)) {
        atomic_store(&desk->most_alive, alive);
    }
    *made = value;
    return IR_OK;
}

static void *swap(void *context, void *made) {
    ir_desk_t *desk = context;
    int *old = desk->current;
    desk->current = made;
    desk->swaps++;
    return old;
}

static void failed(void *context, const ir_error_t *error) {
    ir_desk_t *desk = context;
    desk->failures++;
    desk->error = *error;
}

static bool in_use(const void *old) {
    (void)old;
    return old_in_use;
}

static void free_one(void *old) {
    free(old);
    atomic_fetch_sub(&the_desk->alive, 1);
    atomic_fetch_add(&the_desk->frees, 1);
}

static const ir_reload_work_t work = {load, swap, failed, in_use, free_one};

static int set_up(void **state) {
    ir_desk_t *desk = calloc(1, sizeof *desk);
    ir_error_t error;
    sem_init(&desk->let, 0, 0);
    desk->base = event_base_new();
    desk->current = calloc(1, sizeof *desk->current);
    atomic_init(&desk->alive, 1);
    the_desk = desk;
    old_in_use = false;
    *state = desk;
    return ir_reload_open(desk->base, &work, desk, &desk->reload, &error) == IR_OK ? 0 : -1;
}

static int tear_down(void **state) {
    ir_desk_t *desk = *state;
    sem_post(&desk->let); /* lets an object finish that is still being read */
    ir_reload_close(desk->reload);
    free(desk->current);
    event_base_free(desk->base);
    sem_destroy(&desk->let);
    free(desk);
    return 0;
}

/* Runs the loop until this many objects were swapped, and this many failed. */
static void turn_until(ir_desk_t *desk, int swaps, int failures) {
    while (desk->swaps < swaps || desk->failures < failures) {
        event_base_loop(desk->base, EVLOOP_ONCE);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    ++*(int *)context;
}

static void the_loop_goes_on_while_it_is_read(void **state) {
    ir_desk_t *desk = *state;
    int turns = 0;
    const struct timeval often = {.tv_usec = 1000};
    struct event *timer = event_new(desk->base, -1, EV_PERSIST, on_timer, &turns);
    event_add(timer, &often);
    ir_reload_request(desk->reload);
    while (turns < 10) {
        event_base_loop(desk->base, EVLOOP_ONCE);
    }
    assert_int_equal(desk->swaps, 0);
    assert_int_equal(*desk->current, 0);
    sem_post(&desk->let);
    turn_until(desk, 1, 0);
    assert_int_equal(*desk->current, 1);
    event_free(timer);
}

static void what_was_asked_for_meanwhile_is_one_more_reading(void **state) {
    ir_desk_t *desk = *state;
    for (int i = 0; i < 5; i++) {
        ir_reload_request(desk->reload);
    }
    for (int i = 0; i < 5; i++) {
        sem_post(&desk->let);
    }
    turn_until(desk, 2, 0);
    while (atomic_load(&desk->frees) < 2) {
        event_base_loop(desk->base, EVLOOP_NONBLOCK);
    }
    event_base_loop(desk->base, EVLOOP_NONBLOCK);
    assert_int_equal(atomic_load(&desk->loads), 2);
    assert_int_equal(*desk->current, 2);
}

static void a_third_is_not_read_while_the_first_is_used(void **state) {
    ir_desk_t *desk = *state;
    old_in_use = true;
    ir_reload_request(desk->reload);
    sem_post(&desk->let);
    turn_until(desk, 1, 0);
    ir_reload_request(desk->reload);
    sem_post(&desk->let);
    for (int i = 0; i < 3; i++) { /* each round waits for the timer that checks whether the old
                                   * object is in use */
        event_base_loop(desk->base, EVLOOP_ONCE);
    }
    assert_int_equal(atomic_load(&desk->loads), 1);
    assert_int_equal(atomic_load(&desk->frees), 0);
    old_in_use = false;
    turn_until(desk, 2, 0);
    assert_int_equal(*desk->current, 2);
    assert_int_equal(atomic_load(&desk->most_alive), 2);
}

static void a_broken_one_leaves_the_old_one(void **state) {
    ir_desk_t *desk = *state;
    desk->broken = true;
    ir_reload_request(desk->reload);
    sem_post(&desk->let);
    turn_until(desk, 0, 1);
    assert_string_equal(desk->error.text, "line 1: broken");
    assert_int_equal(*desk->current, 0);
    desk->broken = false;
    ir_reload_request(desk->reload);
    sem_post(&desk->let);
    turn_until(desk, 1, 1);
    assert_int_equal(*desk->current, 2);
}

/* tear_down closes the reload while its thread is working. The sanitizers would report leaks. */
static void closing_waits_for_the_reading(void **state) {
    ir_desk_t *desk = *state;
    ir_reload_request(desk->reload);
    assert_int_equal(desk->swaps, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_loop_goes_on_while_it_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_asked_for_meanwhile_is_one_more_reading, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_third_is_not_read_while_the_first_is_used, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_broken_one_leaves_the_old_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closing_waits_for_the_reading, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
