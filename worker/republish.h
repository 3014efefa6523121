/* The last stage: republishes every processed message in each format, and publishes everything
 * refused to the dead-letter exchange (letters.h). The stage is done when the broker has confirmed
 * all of it. */
#ifndef IR_WORKER_REPUBLISH_H
#define IR_WORKER_REPUBLISH_H

#include "annotation/formats/format.h"
#include "broker/publisher.h"
#include "common/status.h"
#include "observation/batch.h"
#include "worker/denied.h"
#include "worker/meters.h"
#include "worker/options.h"

typedef struct ir_republish ir_republish_t;

/* `documented`: the documents keep raw messages. `denied`, `meters` and `formats` must outlive it.
 * Returns NULL when memory is exhausted. */
ir_republish_t *ir_republish_new(const ir_broker_options_t *broker,
                                 const ir_format_t *const *formats, size_t n_formats,
                                 const ir_format_options_t *format_options, bool documented,
                                 ir_denied_t *denied, ir_meters_t *meters);
void ir_republish_free(ir_republish_t *republish);

/* Callbacks for ir_stage_work_t; `context` is the ir_republish_t. After RETRY the whole batch is
 * republished: subscribers recognise repeats by the observation's id. */
ir_outcome_t ir_republish_run(void *context, ir_batch_t *batch, ir_error_t *error);
void ir_republish_idle(void *context);

#endif
