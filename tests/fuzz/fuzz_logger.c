/* Logger files of every table format. The packs do not depend on the sizes of the reads, and each
 * pack is SenML that the gateway would accept. */
#include "common/log.h"
#include "feed/input.h"
#include "feed/map.h"
#include "observation/senml/senml.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIXED ((size_t)2 * 1024 * 1024)
#define FACTOR 64
#define PORTION 3
#define FAR_NS (INT64_C(73000) * 86400 * 1000000000)

static const char mapping[] =
    "[semicolons]\nfiles = x\nseparator = semicolon\ndecimal = comma\nencoding = latin-1\n"
    "time = Datum\ntime-format = %d.%m.%Y %H:%M\nzone = Europe/Berlin\nmissing = NAN, -9999\n"
    "mote = elbe\n[semicolons:T*]\nsensor = elbe/t\nunit = Cel\n[semicolons:Pegel]\n"
    "sensor = /p\nunit = cm\n"
    "[spaces]\nfiles = x\nheader = 0\nseparator = space\ncomment = #\ntime = 1\ntime-of-day = 2\n"
    "zone = +01:00\nmote = m\n[spaces:3]\nsensor = m/a\n[spaces:4]\nsensor = m/b\n"
    "[toa5]\nfiles = x\nformat = toa5\nzone = -06:00\nmote = m\n[toa5:Temp]\nsensor = m/t\n"
    "[rdb]\nfiles = x\nformat = rdb\nmote = column:site_no\n[rdb:*_00060]\nsensor = /00060\n"
    "[rows]\nfiles = x\ntime = time_utc\nmote = column:station\n[rows:value]\n"
    "sensor = column:parameter\n"
    "[zones]\nfiles = x\ntime = t\nzone = column:z\nmote = m\n[zones:v]\nsensor = m/v\n";

static ir_map_t *map;
static ir_zones_t *zones;

static void begin(void) {
    char path[FUZZ_PATH_SIZE];
    ir_error_t error = {.text = ""};
    const int fd = fuzz_file((const uint8_t *)mapping, sizeof mapping - 1, path);
    zones = ir_zones_new();
    ir_log_open("fuzz", IR_LOG_ERROR);
    if (zones == NULL || ir_map_load(path, &map, NULL, &error) != IR_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    close(fd);
}

static void check_pack(const ir_pack_t *pack) {
    ir_arena_t *arena = ir_arena_new(4096);
    ir_senml_pack_t decoded;
    ir_senml_limits_t limits = ir_senml_limits_default;
    limits.future_ns = FAR_NS;
    const ir_senml_clock_t clock = {.arrival_ns = INT64_C(1700000000000000000)};
    if (ir_senml_decode(IR_MEDIA_SENML_JSON, pack->body, clock, &limits, arena, &decoded) !=
            IR_OK ||
        decoded.n_refusals > 0 || decoded.n_records == 0 || decoded.relative ||
        decoded.first_ns != pack->time_ns) {
        fprintf(stderr, "%.*s\n", IR_VIEW_ARG(pack->body));
        abort();
    }
    ir_arena_free(arena);
}

/* Reads the file in portions of this size, and appends the bodies of all packs. */
static void read_all(const ir_position_t *position, const char *path, size_t portion,
                     ir_buffer_t *bodies) {
    ir_error_t error;
    ir_report_t report = {.printed = false};
    ir_input_tools_t *tools = NULL;
    ir_input_t *input = NULL;
    if (ir_input_tools_open(position, zones, &report, &tools, &error) != IR_OK ||
        ir_input_open(position, path, NULL, &input, &error) != IR_OK) {
        abort();
    }
    do {
        size_t count = 0;
        if (ir_input_read(input, tools, portion, &error) != IR_OK) {
            break;
        }
        const ir_pack_t *packs = ir_input_packs(input, &count);
        for (size_t i = 0; i < count; i++) {
            check_pack(&packs[i]);
            ir_buffer_append_view(bodies, packs[i].body);
        }
        (void)ir_input_confirm(input, count, &error);
        ir_input_tools_reset(tools);
    } while (!ir_input_ended(input));
    ir_input_close(input);
    ir_input_tools_close(tools);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[FUZZ_PATH_SIZE];
    ir_buffer_t whole;
    ir_buffer_t portions;
    if (size == 0) {
        return 0;
    }
    if (map == NULL) {
        begin();
    }
    const ir_position_t *position = map->positions[data[0] % map->n_positions];
    const int fd = fuzz_file(data + 1, size - 1, path);
    ir_buffer_init(&whole);
    ir_buffer_init(&portions);
    fuzz_watch(FIXED, FACTOR, size);
    read_all(position, path, SIZE_MAX, &whole);
    read_all(position, path, PORTION, &portions);
    fuzz_unwatch();
    if (!ir_view_equal(ir_buffer_view(&whole), ir_buffer_view(&portions))) {
        abort();
    }
    ir_buffer_free(&whole);
    ir_buffer_free(&portions);
    close(fd);
    return 0;
}
