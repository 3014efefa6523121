/* A CSV table of stations. If it can be converted, the resulting registry must load. */
#include "observation/registry/registry.h"
#include "stations/table.h"
#include "stations/turtle.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIXED ((size_t)1024 * 1024)
#define FACTOR                                                                                     \
    2000 /* a row of some bytes becomes a mote, a property and a sensor, and their Turtle */

static void ignore(void *context, const char *line) {
    (void)context;
    (void)line;
}

static void load_written(const ir_stations_t *stations) {
    ir_error_t error = {.status = IR_OK};
    ir_registry_t *registry = NULL;
    char path[FUZZ_PATH_SIZE];
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return;
    }
    ir_stations_write(stations, out);
    const int fd = fclose(out) == 0 ? fuzz_file((const uint8_t *)text, size, path) : -1;
    if (fd >= 0 && ir_registry_load(path, &registry, NULL, &error) != IR_OK) {
        fprintf(stderr, "%s\n%.*s\n", error.text, (int)size, text);
        abort();
    }
    ir_registry_unref(registry);
    if (fd >= 0) {
        close(fd);
    }
    free(text);
}

static void read_stations(const char *path) {
    static ir_fault_list_t faults;
    static const ir_teller_t nobody = {ignore, NULL};
    ir_error_t error = {.status = IR_OK};
    ir_stations_t stations;
    faults = (ir_fault_list_t){.count = 0};
    if (ir_stations_open(&stations, path, &faults)) {
        fuzz_must_say_why(ir_stations_read(&stations, path, &nobody, &error), &error);
        if (error.status == IR_OK && faults.count == 0) {
            load_written(&stations);
        }
    }
    ir_stations_close(&stations);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[FUZZ_PATH_SIZE];
    const int fd = fuzz_file(data, size, path);
    if (fd >= 0) {
        fuzz_watch(FIXED, FACTOR, size);
        read_stations(path);
        fuzz_unwatch();
        close(fd);
    }
    return 0;
}
