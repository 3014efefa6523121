/* The mapping of ir-feed. An accepted mapping must keep the promises of its header file, and a
 * refused one must give a reason. */
#include "feed/layout.h"
#include "feed/map.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <unistd.h>

#define FIXED ((size_t)8 * 1024 * 1024) /* of positions: 256 */
#define FACTOR 16

static void check(const ir_map_t *map) {
    ir_buffer_t text;
    ir_buffer_init(&text);
    for (size_t i = 0; i < map->n_positions; i++) {
        const ir_position_t *position = map->positions[i];
        if (position->format == NULL || position->mote_from.text == NULL ||
            position->n_values == 0) {
            abort();
        }
        ir_position_describe(position, &text);
        for (size_t j = 0; j < position->n_values; j++) {
            (void)ir_layout_fits(position->values[j].column, position->values[0].column);
        }
    }
    ir_buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[FUZZ_PATH_SIZE];
    ir_map_t *map = NULL;
    ir_error_t error = {.text = ""};
    const int fd = fuzz_file(data, size, path);
    if (fd < 0) {
        return 0;
    }
    fuzz_watch(FIXED, FACTOR, size);
    const ir_status_t status = ir_map_load(path, &map, NULL, &error);
    fuzz_must_say_why(status, &error);
    if (status == IR_OK) {
        check(map);
    }
    ir_map_free(map);
    fuzz_unwatch();
    close(fd);
    return 0;
}
