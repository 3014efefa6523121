#include "broker/membership.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PARTITIONS 64
#define EXPIRY_NS 4000

static bool seen(ir_membership_t *membership, const char *name, int64_t now_ns) {
    return ir_membership_seen(membership, ir_view_text(name), now_ns);
}

static void alone_it_owns_everything(void **state) {
    (void)state;
    ir_membership_t *membership = ir_membership_new("a", EXPIRY_NS);
    assert_non_null(membership);
    assert_int_equal(ir_membership_count(membership), 1);
    for (unsigned i = 0; i < PARTITIONS; i++) {
        assert_true(ir_membership_owns(membership, i));
    }
    ir_membership_free(membership);
}

/* Three workers know each other. Every partition belongs to exactly one of them, and each has a
 * fair share. */
static void every_partition_has_one_owner(void **state) {
    (void)state;
    static const char *const names[] = {"worker-a", "worker-b", "worker-c"};
    ir_membership_t *memberships[3];
    for (int i = 0; i < 3; i++) {
        memberships[i] = ir_membership_new(names[i], EXPIRY_NS);
        for (int j = 0; j < 3; j++) {
            assert_int_equal(seen(memberships[i], names[j], 0), i != j);
        }
    }
    int parts[3] = {0};
    for (unsigned p = 0; p < PARTITIONS; p++) {
        int owners = 0;
        for (int i = 0; i < 3; i++) {
            const bool mine = ir_membership_owns(memberships[i], p);
            owners += mine;
            parts[i] += mine;
        }
        assert_int_equal(owners, 1);
    }
    for (int i = 0; i < 3; i++) {
        assert_in_range(parts[i], PARTITIONS / 6, PARTITIONS / 2);
        ir_membership_free(memberships[i]);
    }
}

static void a_newcomer_moves_only_what_becomes_its_own(void **state) {
    (void)state;
    ir_membership_t *a = ir_membership_new("a", EXPIRY_NS);
    ir_membership_t *c = ir_membership_new("c", EXPIRY_NS);
    seen(a, "b", 0);
    seen(c, "a", 0);
    seen(c, "b", 0);
    bool before[PARTITIONS];
    for (unsigned p = 0; p < PARTITIONS; p++) {
        before[p] = ir_membership_owns(a, p);
    }
    assert_true(seen(a, "c", 0));
    for (unsigned p = 0; p < PARTITIONS; p++) {
        assert_int_equal(ir_membership_owns(a, p), before[p] && !ir_membership_owns(c, p));
    }
    ir_membership_free(a);
    ir_membership_free(c);
}

static void silence_expires(void **state) {
    (void)state;
    ir_membership_t *membership = ir_membership_new("a", EXPIRY_NS);
    assert_true(seen(membership, "b", 0));
    assert_true(seen(membership, "c", 1000));
    assert_false(seen(membership, "b", 2000));
    assert_false(ir_membership_expire(membership, 5000));
    assert_true(ir_membership_expire(membership, 5001));
    assert_int_equal(ir_membership_count(membership), 2);
    assert_true(ir_membership_expire(membership, 100000));
    assert_int_equal(ir_membership_count(membership), 1);
    assert_false(ir_membership_expire(membership, 200000));
    ir_membership_free(membership);
}

static void goodbye_counts_at_once(void **state) {
    (void)state;
    ir_membership_t *membership = ir_membership_new("a", EXPIRY_NS);
    seen(membership, "b", 0);
    assert_true(ir_membership_left(membership, ir_view_text("b")));
    assert_false(ir_membership_left(membership, ir_view_text("b")));
    assert_false(ir_membership_left(membership, ir_view_text("a")));
    assert_int_equal(ir_membership_count(membership), 1);
    assert_true(seen(membership, "b", 0));
    ir_membership_free(membership);
}

static void odd_names_and_crowds_are_bounded(void **state) {
    (void)state;
    ir_membership_t *membership = ir_membership_new("a", EXPIRY_NS);
    char name[300];
    memset(name, 'x', sizeof name);
    assert_false(ir_membership_seen(membership, ir_view(NULL, 0), 0));
    assert_false(ir_membership_seen(membership, ir_view(name, 256), 0));
    assert_true(ir_membership_seen(membership, ir_view(name, 255), 0));
    assert_true(ir_membership_seen(membership, ir_view("\0\n", 2), 0));
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "worker-%d", i);
        seen(membership, name, 0);
    }
    assert_int_equal(ir_membership_count(membership), 1024);
    ir_membership_free(membership);
    ir_membership_free(NULL);
}

/* A member that announces its partitions has exactly those. A member that announces none is assumed
 * to have its share. */
static void members_serve_what_they_say(void **state) {
    (void)state;
    ir_membership_t *membership = ir_membership_new("a", EXPIRY_NS);
    seen(membership, "b", 0);
    unsigned others = 0;
    for (unsigned i = 0; i < PARTITIONS; i++) {
        assert_int_not_equal(ir_membership_owns(membership, i),
                             ir_membership_serves(membership, i));
        others += ir_membership_serves(membership, i);
    }
    assert_in_range(others, 1, PARTITIONS - 1);
    ir_partition_set_t held = {{0}};
    ir_partition_set_add(&held, 5);
    ir_membership_holds(membership, ir_view_text("b"), &held);
    for (unsigned i = 0; i < PARTITIONS; i++) {
        assert_int_equal(ir_membership_serves(membership, i), i == 5);
    }
    ir_membership_holds(membership, ir_view_text("stranger"), &held);
    ir_membership_left(membership, ir_view_text("b"));
    assert_false(ir_membership_serves(membership, 5));
    ir_membership_free(membership);
}

static void a_set_of_partitions_is_written_and_read(void **state) {
    (void)state;
    char text[IR_PARTITION_SET_TEXT];
    ir_partition_set_t set = {{0}};
    ir_partition_set_t read = {{0}};
    static const unsigned some[] = {0, 1, 2, 63, 64, 200, 254, 255};
    assert_true(ir_partition_set_empty(&set));
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        ir_partition_set_add(&set, some[i]);
    }
    assert_int_equal(ir_partition_set_count(&set), 8);
    ir_partition_set_format(&set, text);
    assert_int_equal(strlen(text), IR_PARTITION_SET_TEXT - 1);
    assert_true(ir_partition_set_parse(ir_view_text(text), &read));
    assert_true(ir_partition_set_equal(&set, &read));
    ir_buffer_t shown;
    ir_buffer_init(&shown);
    ir_partition_set_show(&set, &shown);
    ir_buffer_append_char(&shown, '\0');
    assert_string_equal(shown.data, "0-2, 63-64, 200, 254-255");
    ir_buffer_free(&shown);
    text[3] = 'x';
    assert_false(ir_partition_set_parse(ir_view_text(text), &read));
    assert_false(ir_partition_set_parse(ir_view_text("ff"), &read));
    assert_true(ir_partition_set_equal(&set, &read));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone_it_owns_everything),
        cmocka_unit_test(every_partition_has_one_owner),
        cmocka_unit_test(a_newcomer_moves_only_what_becomes_its_own),
        cmocka_unit_test(silence_expires),
        cmocka_unit_test(goodbye_counts_at_once),
        cmocka_unit_test(odd_names_and_crowds_are_bounded),
        cmocka_unit_test(members_serve_what_they_say),
        cmocka_unit_test(a_set_of_partitions_is_written_and_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
