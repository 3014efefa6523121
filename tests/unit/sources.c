#include "tests/unit/sources.h"

#include "loadgen/source/source_open.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BODY_SIZE 4000

char sources_path[] = "/tmp/ir-test-source-XXXXXX";

int sources_make_file(void **state) {
    (void)state;
    const int fd = mkstemp(sources_path);
    return fd < 0 || close(fd) != 0;
}

int sources_remove_file(void **state) {
    (void)state;
    return unlink(sources_path);
}

void sources_write(const void *bytes, size_t size) {
    FILE *file = fopen(sources_path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

void sources_write_text(const char *text) {
    sources_write(text, strlen(text));
}

ir_source_t sources_open(const ir_source_options_t *options) {
    ir_source_t source = {0};
    ir_error_t error;
    assert_int_equal(ir_source_open(options, &source, &error), IR_OK);
    return source;
}

const char *sources_body(const ir_source_t *source, uint64_t number) {
    static char text[BODY_SIZE];
    ir_buffer_t body;
    ir_buffer_init(&body);
    ir_source_body(source, number, &body);
    assert_true(ir_buffer_ok(&body) && body.size < sizeof text);
    memcpy(text, body.data, body.size);
    text[body.size] = '\0';
    ir_buffer_free(&body);
    return text;
}
