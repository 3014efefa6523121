#include "tap/printer.h"

#include "common/clock.h"
#include "common/ring.h"
#include "common/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LINES 4096
#define WAIT_NS (200 * IR_MILLISECOND_NS)

struct ir_printer {
    FILE *out;
    ir_ring_t *ring; /* ring of texts made by strndup */
    pthread_t thread;
    uint64_t missed;
    atomic_bool broken;
};

static void *run(void *context) {
    ir_printer_t *printer = context;
    while (!ir_ring_closed(printer->ring) || ir_ring_count(printer->ring) > 0) {
        char *line = ir_ring_wait(printer->ring, WAIT_NS);
        if (line != NULL) {
            fputs(line, printer->out);
            putc('\n', printer->out);
            free(line);
        }
        if (ir_ring_count(printer->ring) == 0 && fflush(printer->out) != 0) {
            atomic_store(&printer->broken, true);
        }
    }
    return NULL;
}

ir_status_t ir_printer_start(FILE *out, ir_printer_t **printer, ir_error_t *error) {
    ir_printer_t *made = calloc(1, sizeof *made);
    if (made != NULL) {
        made->out = out;
        made->ring = ir_ring_new(LINES, false);
    }
    if (made == NULL || made->ring == NULL || ir_thread_start(&made->thread, run, made) != 0) {
        if (made != NULL) {
            ir_ring_free(made->ring);
        }
        free(made);
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the output");
    }
    *printer = made;
    return IR_OK;
}

void ir_printer_put(ir_printer_t *printer, ir_view_t line) {
    char *copy = strndup(line.data, line.size);
    if (copy == NULL || !ir_ring_push(printer->ring, copy)) {
        free(copy);
        printer->missed++;
    }
}

uint64_t ir_printer_missed(const ir_printer_t *printer) {
    return printer->missed;
}

bool ir_printer_broken(ir_printer_t *printer) {
    return atomic_load(&printer->broken);
}

uint64_t ir_printer_stop(ir_printer_t *printer, bool patient) {
    struct timespec until;
    if (printer == NULL) {
        return 0;
    }
    ir_ring_close(printer->ring);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    if (patient) {
        pthread_join(printer->thread, NULL);
    } else if (pthread_timedjoin_np(printer->thread, NULL, &until) != 0) {
        return ir_ring_count(printer->ring); /* the thread stays blocked in a write */
    }
    ir_ring_free(printer->ring);
    free(printer);
    return 0;
}
