/* The last stage: publishes every processed message again in each of the formats, and what was
 * refused to the dead-letter exchange (letters.h); done when all of it is confirmed. */
#ifndef IR_WORKER_REPUBLISH_H
#define IR_WORKER_REPUBLISH_H

#include "annotation/format.h"
#include "broker/publisher.h"
#include "common/status.h"
#include "observation/batch.h"
#include "worker/denied.h"
#include "worker/meters.h"
#include "worker/options.h"

typedef struct ir_republish ir_republish_t;

/* `documented`: the documents keep raw messages. `denied`, `meters` and `formats` outlive it. NULL
 * when memory is out. */
ir_republish_t *ir_republish_new(const ir_broker_options_t *broker,
                                 const ir_format_t *const *formats, size_t n_formats,
                                 const ir_format_options_t *format_options, bool documented,
                                 ir_denied_t *denied, ir_meters_t *meters);
void ir_republish_free(ir_republish_t *republish);

/* As ir_stage_work_t wants them; `context` is the ir_republish_t. RETRY publishes the whole batch
 * anew: subscribers tell repeats by observation id. */
ir_outcome_t ir_republish_run(void *context, ir_batch_t *batch, ir_error_t *error);
void ir_republish_idle(void *context);

#endif
