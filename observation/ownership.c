#include "observation/ownership.h"

#include "observation/registry/build.h"

#include <string.h>

bool ir_mote_owns(const char *mote, ir_view_t name) {
    const size_t size = strlen(mote);
    return name.size >= size && memcmp(name.data, mote, size) == 0 &&
           (name.size == size || strchr("/.:_", name.data[size]) != NULL);
}

size_t ir_registry_not_owned(const ir_registry_t *registry, const ir_sensor_t **found,
                             size_t most) {
    const ir_name_table_t *sensors = &registry->sensors;
    size_t count = 0;
    for (size_t i = 0; i < sensors->capacity; i++) {
        const ir_sensor_t *sensor = sensors->places[i].value;
        if (sensor != NULL && !ir_mote_owns(sensor->mote->id, ir_view_text(sensor->name))) {
            if (count < most) {
                found[count] = sensor;
            }
            count++;
        }
    }
    return count;
}
