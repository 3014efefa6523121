#include "store/graph/nquads/segment.h"
#include "store/graph/nquads/segment_lines.h"
#include "store/graph/nquads/segments.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TYPE_LINE                                                                                  \
    "<urn:uuid:%s> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> "                             \
    "<http://www.w3.org/ns/sosa/Observation> .\n"
#define OTHER_LINE "<urn:uuid:%s> <http://p.example/p> \"x\" .\n"

typedef struct place {
    char directory[64];
} place_t;

static int set_up(void **state) {
    place_t *place = calloc(1, sizeof *place);
    assert_non_null(place);
    strcpy(place->directory, "/tmp/test_segment.XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    *state = place;
    return 0;
}

static int tear_down(void **state) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", ((place_t *)*state)->directory);
    assert_int_equal(system(command), 0);
    free(*state);
    return 0;
}

static ir_id_t make_id(uint32_t number) {
    ir_id_t id = {{0}};
    id.bytes[0] = (uint8_t)(number * 37 + 1);
    memcpy(&id.bytes[12], &number, sizeof number);
    return id;
}

static ir_status_t append(ir_segment_t *segment, uint32_t first, uint32_t count) {
    ir_buffer_t lines;
    ir_buffer_init(&lines);
    ir_id_t ids[16];
    for (uint32_t i = 0; i < count; i++) {
        char text[IR_ID_TEXT_SIZE];
        ids[i] = make_id(first + i);
        ir_id_format(&ids[i], text);
        ir_buffer_append_format(&lines, OTHER_LINE, text);
        ir_buffer_append_format(&lines, TYPE_LINE, text);
    }
    const ir_status_t status = ir_segment_append(segment, &lines, ids, count, NULL);
    ir_buffer_free(&lines);
    return status;
}

static bool is_there(const char *directory, uint32_t number) {
    ir_segments_t *segments = ir_segments_new(directory);
    assert_non_null(segments);
    assert_int_equal(ir_segments_refresh(segments, NULL, NULL), IR_OK);
    const ir_id_t id = make_id(number);
    const bool there = ir_segments_has(segments, &id);
    ir_segments_free(segments);
    return there;
}

static void write_behind(const char *directory, const char *name, const char *text) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int64_t size_of(const char *directory, const char *name) {
    char path[160];
    struct stat facts;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return stat(path, &facts) == 0 ? facts.st_size : -1;
}

static void appends_seals_and_finds(void **state) {
    const char *directory = ((place_t *)*state)->directory;
    ir_segment_t *segment = NULL;
    assert_int_equal(ir_segment_create(directory, "a/b", &segment, NULL), IR_OK);
    assert_string_equal(ir_segment_stem(segment), "a_b-00000001");
    assert_int_equal(append(segment, 0, 10), IR_OK);
    assert_int_equal(append(segment, 10, 10), IR_OK);
    const ir_id_t id = make_id(15);
    assert_true(ir_segment_has(segment, &id));
    assert_true(is_there(directory, 19));
    assert_false(is_there(directory, 20));
    assert_int_equal(ir_segment_seal(segment, NULL), IR_OK);
    assert_int_equal(size_of(directory, "a_b-00000001.nq.ids"), 20 * 16);
    assert_true(is_there(directory, 0));
    assert_true(is_there(directory, 19));
    assert_false(is_there(directory, 20));
    assert_int_equal(ir_segment_create(directory, "a/b", &segment, NULL), IR_OK);
    assert_string_equal(ir_segment_stem(segment), "a_b-00000002");
    ir_segment_close(segment);
}

static void repairs_what_was_torn(void **state) {
    const char *directory = ((place_t *)*state)->directory;
    char text[IR_ID_TEXT_SIZE];
    char torn[256];
    ir_segment_t *segment = NULL;
    assert_int_equal(ir_segment_create(directory, "w", &segment, NULL), IR_OK);
    assert_int_equal(append(segment, 0, 5), IR_OK);
    const int64_t whole = ir_segment_size(segment);
    const ir_id_t id = make_id(7);
    snprintf(torn, sizeof torn, TYPE_LINE, ir_id_format(&id, text));
    write_behind(directory, "w-00000001.nq.open", torn);
    write_behind(directory, "w-00000001.nq.open", "# batch 2");
    assert_false(is_there(directory, 7));
    bool alive = false;
    assert_int_equal(ir_segment_repair(directory, "w-00000001", &alive, NULL), IR_OK);
    assert_true(alive);
    ir_segment_close(segment);
    assert_int_equal(ir_segment_repair(directory, "w-00000001", &alive, NULL), IR_OK);
    assert_false(alive);
    assert_int_equal(size_of(directory, "w-00000001.nq"), whole);
    assert_int_equal(size_of(directory, "w-00000001.nq.open"), -1);
    assert_true(is_there(directory, 4));
    assert_false(is_there(directory, 7));
    assert_int_equal(ir_segment_repair(directory, "w-00000001", &alive, NULL), IR_OK);
}

static void removes_what_holds_no_batch(void **state) {
    const char *directory = ((place_t *)*state)->directory;
    write_behind(directory, "x-00000001.nq.open", "<a> <b> <c> .\n");
    bool alive = true;
    assert_int_equal(ir_segment_repair(directory, "x-00000001", &alive, NULL), IR_OK);
    assert_int_equal(size_of(directory, "x-00000001.nq.open"), -1);
    assert_int_equal(size_of(directory, "x-00000001.nq"), -1);
}

static void finds_the_mark_across_windows(void **state) {
    const char *directory = ((place_t *)*state)->directory;
    char path[160];
    snprintf(path, sizeof path, "%s/long", directory);
    for (size_t rest = 16384 - 40; rest < 16384 + 40; rest++) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs("<a> <b> <c> .\n# batch 1\n", file);
        for (size_t i = 0; i < rest; i++) {
            fputc('x', file);
        }
        assert_int_equal(fclose(file), 0);
        const int fd = open(path, O_RDONLY | O_CLOEXEC);
        int64_t end = -1;
        assert_int_equal(ir_segment_end(fd, path, &end, NULL), IR_OK);
        assert_int_equal(end, 24);
        close(fd);
    }
}

static void makes_missing_ids_again(void **state) {
    const char *directory = ((place_t *)*state)->directory;
    char path[160];
    ir_segment_t *segment = NULL;
    assert_int_equal(ir_segment_create(directory, "w", &segment, NULL), IR_OK);
    assert_int_equal(append(segment, 0, 5), IR_OK);
    assert_int_equal(ir_segment_seal(segment, NULL), IR_OK);
    snprintf(path, sizeof path, "%s/w-00000001.nq.ids", directory);
    assert_int_equal(unlink(path), 0);
    assert_true(is_there(directory, 3));
    assert_int_equal(size_of(directory, "w-00000001.nq.ids"), 5 * 16);
}

/* A limit on the file size acts like a full disk: a write fails after a part of the bytes. */
static void full_disk_leaves_the_file_as_it_was(void **state) {
    const char *directory = ((place_t *)*state)->directory;
    ir_segment_t *segment = NULL;
    assert_int_equal(ir_segment_create(directory, "w", &segment, NULL), IR_OK);
    assert_int_equal(append(segment, 0, 2), IR_OK);
    const int64_t whole = ir_segment_size(segment);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit tight = {(rlim_t)whole + 100, before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    const ir_status_t status = append(segment, 2, 8);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, IR_ERR_IO);
    assert_false(ir_segment_broken(segment));
    assert_int_equal(size_of(directory, "w-00000001.nq.open"), whole);
    assert_int_equal(append(segment, 2, 8), IR_OK);
    assert_int_equal(ir_segment_seal(segment, NULL), IR_OK);
    assert_true(is_there(directory, 9));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(appends_seals_and_finds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(repairs_what_was_torn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(removes_what_holds_no_batch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finds_the_mark_across_windows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(makes_missing_ids_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(full_disk_leaves_the_file_as_it_was, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
