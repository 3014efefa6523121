#include "observation/registry/registry.h"

#include "observation/registry/build.h"
#include "observation/registry/files.h"

#include <stdlib.h>

#define ARENA_CHUNK ((size_t)64 * 1024)

static void free_registry(ir_registry_t *registry) {
    ir_turtle_free(&registry->turtle);
    ir_name_table_free(&registry->sensors);
    ir_name_table_free(&registry->motes);
    ir_arena_free(registry->arena);
    free(registry);
}

static ir_registry_t *new_registry(ir_fault_list_t *faults) {
    ir_registry_t *registry = calloc(1, sizeof *registry);
    ir_arena_t *arena = registry != NULL ? ir_arena_new(ARENA_CHUNK) : NULL;
    if (arena == NULL || !ir_turtle_init(&registry->turtle, arena, faults)) {
        ir_arena_free(arena);
        free(registry);
        return NULL;
    }
    registry->arena = arena;
    atomic_init(&registry->references, 1);
    return registry;
}

ir_status_t ir_registry_load(const char *paths, ir_registry_t **registry, const ir_teller_t *teller,
                             ir_error_t *error) {
    ir_fault_list_t faults = {.count = 0};
    ir_registry_t *loaded = new_registry(&faults);
    ir_status_t status = IR_OK;
    if (loaded == NULL) {
        status = ir_error_set(error, IR_ERR_MEMORY, "%s: out of memory", paths);
    }
    if (status == IR_OK) {
        status = ir_registry_read_files(&loaded->turtle, paths, error);
    }
    if (status == IR_OK) {
        status = ir_registry_build(loaded, error);
    }
    if (status == IR_OK) {
        status = ir_fault_list_conclude(&faults, "the registry", teller, error);
    }
    if (status != IR_OK) {
        if (loaded != NULL) {
            free_registry(loaded);
        }
        return status;
    }
    /* Frees the indexes; the statements stay for ir_registry_ntriples. */
    ir_turtle_free(&loaded->turtle);
    loaded->turtle.faults = NULL;
    *registry = loaded;
    return IR_OK;
}

ir_registry_t *ir_registry_ref(ir_registry_t *registry) {
    if (registry != NULL) {
        atomic_fetch_add_explicit(&registry->references, 1, memory_order_relaxed);
    }
    return registry;
}

void ir_registry_unref(ir_registry_t *registry) {
    if (registry != NULL &&
        atomic_fetch_sub_explicit(&registry->references, 1, memory_order_acq_rel) == 1) {
        free_registry(registry);
    }
}

bool ir_registry_shared(const ir_registry_t *registry) {
    return atomic_load_explicit(&registry->references, memory_order_acquire) > 1;
}

const ir_sensor_t *ir_registry_sensor(const ir_registry_t *registry, ir_view_t name) {
    return registry != NULL ? ir_name_table_find(&registry->sensors, name) : NULL;
}

const ir_mote_t *ir_registry_mote(const ir_registry_t *registry, ir_view_t id) {
    return registry != NULL ? ir_name_table_find(&registry->motes, id) : NULL;
}

size_t ir_registry_sensors(const ir_registry_t *registry) {
    return registry->sensors.count;
}

ir_status_t ir_registry_each_mote(const ir_registry_t *registry, ir_registry_mote_fn each,
                                  void *context, ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < registry->motes.capacity && status == IR_OK; i++) {
        const ir_mote_t *mote = registry->motes.places[i].value;
        status = mote != NULL ? each(context, mote, error) : IR_OK;
    }
    return status;
}

size_t ir_registry_motes(const ir_registry_t *registry) {
    return registry->motes.count;
}

void ir_registry_each_sensor(const ir_registry_t *registry, ir_each_registered_fn each,
                             void *context) {
    for (const ir_fact_t *s = registry->turtle.first; s != NULL; s = s->next) {
        if (s->predicate->term == IR_REGISTRY_TERM_SENML_NAME &&
            !each(context, s->subject->meanings[IR_MEANING_SENSOR])) {
            return;
        }
    }
}

unsigned ir_registry_files(const ir_registry_t *registry) {
    return registry->turtle.n_files;
}

const char *ir_registry_file_name(const ir_registry_t *registry, unsigned file) {
    return registry->turtle.files[file].name;
}

ir_status_t ir_registry_ntriples(const ir_registry_t *registry, unsigned file, char **text,
                                 size_t *size, ir_error_t *error) {
    return ir_turtle_ntriples(&registry->turtle, file, text, size, error);
}
