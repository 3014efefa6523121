/* When a program finds an inconsistent state, it ends and names the place in the code, in release
 * builds, too. */
#include "broker/partition.h"
#include "common/invariant.h"
#include "observation/batch.h"
#include "worker/stage.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs `violate` in a child process. Asserts that SIGABRT ends it after a line that contains
 * `text`. */
static void assert_ends(void (*violate)(void), const char *text) {
    int ends[2];
    char line[1024] = "";
    int status = 0;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        violate();
        _exit(0);
    }
    close(ends[1]);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(line, text));
}

static void violate_plainly(void) {
    const int one = 1;
    IR_INVARIANT(one == 2);
}

static void test_false_ends_the_program(void **state) {
    (void)state;
    int evaluated = 0;
    IR_INVARIANT(++evaluated == 1);
    assert_int_equal(evaluated, 1);
    assert_ends(violate_plainly, "test_invariant.c:");
    assert_ends(violate_plainly, "\"one == 2\"");
}

static void acknowledge_too_many(void) {
    ir_partition_t partition;
    ir_partition_init(&partition, 0, 1);
    partition.state = IR_PARTITION_HELD;
    ir_partition_passed(&partition);
    ir_partition_acknowledge(&partition, NULL, 2, 2, 0);
}

static void take_twice(void) {
    ir_partition_t partition;
    ir_partition_init(&partition, 0, 1);
    partition.state = IR_PARTITION_OPENING;
    ir_partition_take(&partition, NULL, NULL, 1, 0);
}

static void test_partition(void **state) {
    (void)state;
    assert_ends(acknowledge_too_many, "settled <= partition->outstanding");
    assert_ends(take_twice, "IR_PARTITION_FREE");
}

/* The check ends the program before it accesses the stage. */
static void give_what_another_has(void) {
    ir_batch_t batch = {.stage = &batch};
    ir_stage_give(NULL, &batch);
}

static void test_a_batch_has_one_owner(void **state) {
    (void)state;
    assert_ends(give_what_another_has, "batch->stage == NULL");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_false_ends_the_program),
        cmocka_unit_test(test_partition),
        cmocka_unit_test(test_a_batch_has_one_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
