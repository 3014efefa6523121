/* Uplinks of LoRaWAN devices, as a network server's broker delivers them. */
#include "common/log.h"
#include "feed/map.h"
#include "feed/uplink.h"
#include "observation/registry/registry.h"
#include "tests/fuzz/fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#define FIXED ((size_t)64 * 1024)
#define FACTOR 160

static const char mapping[] =
    "[tts]\nfiles = x\nformat = tts\nmote = column:device_id\n[tts:level]\nsensor = /level\n"
    "[tts:water.temp]\nsensor = /t\n[tts:probes.1.ph]\nsensor = /ph\n"
    "[chirpstack]\nfiles = x\nformat = chirpstack\nmote = column:devEui\n[chirpstack:level]\n"
    "sensor = /level\n[chirpstack:temperature_1]\nsensor = /t\n";

static ir_map_t *map;

static void begin(void) {
    char path[FUZZ_PATH_SIZE];
    ir_error_t error;
    const int fd = fuzz_file((const uint8_t *)mapping, sizeof mapping - 1, path);
    ir_log_open("fuzz", IR_LOG_ERROR);
    if (fd < 0 || ir_map_load(path, &map, NULL, &error) != IR_OK) {
        abort();
    }
    close(fd);
}

static void check(const ir_reading_t *reading) {
    if (!ir_mote_id_valid(reading->mote) || reading->n_values == 0 ||
        reading->n_values > IR_POSITION_VALUES_MAX || reading->time_ns < IR_READING_TIME_MIN_NS) {
        abort();
    }
    for (size_t i = 0; i < reading->n_values; i++) {
        if (!isfinite(reading->values[i].number)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ir_reading_t reading;
    if (map == NULL) {
        begin();
    }
    for (size_t i = 0; i < map->n_positions; i++) {
        ir_report_t report = {.path = "fuzz", .line = 1};
        fuzz_watch(FIXED, FACTOR, size);
        const ir_reading_context_t context = {map->positions[i], ir_arena_new(4096),
                                              ir_tracks_new(), &report};
        for (int times = 0; times < 2; times++) {
            uint64_t missed = 0;
            if (ir_uplink_read(&context, fuzz_view(data, size), &reading, &missed) ==
                IR_UPLINK_READ) {
                check(&reading);
            }
        }
        ir_tracks_free(context.tracks);
        ir_arena_free(context.arena);
        fuzz_unwatch();
    }
    return 0;
}
