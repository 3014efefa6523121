/* Decides whether arriving messages are consumed, by this worker or by others. */
#include "broker/consumer_state.h"
#include "common/clock.h"
#include "common/messages.h"

#define GRACE_INTERVALS 2
#define GRACE_LEAST_NS (2 * IR_SECOND_NS)

ir_partition_set_t ir_completeness_held(const ir_consumer_t *consumer) {
    ir_partition_set_t held = {{0}};
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        if (consumer->partitions[i].state == IR_PARTITION_HELD) {
            ir_partition_set_add(&held, i);
        }
    }
    return held;
}

/* Returns the partitions that no known worker consumes. With `own_too`, adds this worker's
 * partitions that it does not consume yet. */
static ir_partition_set_t lacking_set(const ir_consumer_t *consumer, bool own_too) {
    ir_partition_set_t lacking = {{0}};
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        const ir_partition_t *partition = &consumer->partitions[i];
        const bool own = own_too && partition->wanted;
        if (partition->state != IR_PARTITION_HELD &&
            (own || !ir_presence_serves(consumer->presence, i))) {
            ir_partition_set_add(&lacking, i);
        }
    }
    return lacking;
}

static bool is_complete(const ir_consumer_t *consumer) {
    const ir_partition_set_t lacking = lacking_set(consumer, true);
    return ir_consumer_connected(consumer) && ir_presence_fault(consumer->presence) == NULL &&
           ir_partition_set_empty(&lacking);
}

void ir_completeness_watch(ir_consumer_t *consumer, int64_t now_ns) {
    if (!is_complete(consumer)) {
        return;
    }
    consumer->complete_ns = now_ns;
    if (!consumer->was_ready && consumer->events.on_ready != NULL) {
        consumer->events.on_ready(consumer->context);
    }
    consumer->was_ready = true;
}

bool ir_consumer_ready(const ir_consumer_t *consumer, ir_buffer_t *reasons) {
    const char *fault = ir_presence_fault(consumer->presence);
    if (fault != NULL) {
        ir_buffer_append_format(reasons, "membership: %s\n", fault);
        return false;
    }
    const int64_t wait_ns = GRACE_INTERVALS * consumer->options.announce_ns;
    const int64_t grace_ns = wait_ns > GRACE_LEAST_NS ? wait_ns : GRACE_LEAST_NS;
    if (is_complete(consumer) ||
        (consumer->complete_ns != 0 && ir_clock_monotonic() - consumer->complete_ns <= grace_ns)) {
        return true;
    }
    const ir_partition_set_t lacking = lacking_set(consumer, true);
    ir_buffer_append_text(reasons, "partitions: ");
    ir_partition_set_show(&lacking, reasons);
    ir_buffer_append_format(reasons, IR_TEXT_UNSERVED, consumer->n_partitions,
                            consumer->loss.text[0] != '\0' ? "; " : " yet", consumer->loss.text);
    return false;
}

unsigned ir_consumer_partitions(const ir_consumer_t *consumer) {
    unsigned count = 0;
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        count += consumer->partitions[i].state == IR_PARTITION_HELD;
    }
    return count;
}

unsigned ir_consumer_share(const ir_consumer_t *consumer) {
    unsigned count = 0;
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        count += consumer->partitions[i].wanted;
    }
    return count;
}

unsigned ir_consumer_unserved(const ir_consumer_t *consumer) {
    const ir_partition_set_t lacking = lacking_set(consumer, false);
    return ir_partition_set_count(&lacking);
}
