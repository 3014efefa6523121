/* A set of partitions, and its text in announcements. Pure. */
#ifndef IR_BROKER_PARTITION_SET_H
#define IR_BROKER_PARTITION_SET_H

#include "common/buffer.h"
#include "common/view.h"

#include <stdbool.h>
#include <stdint.h>

#define IR_PARTITIONS_MAX 256
#define IR_PARTITION_SET_WORDS (IR_PARTITIONS_MAX / 64)
#define IR_PARTITION_SET_TEXT (IR_PARTITIONS_MAX / 4 + 1)

typedef struct ir_partition_set {
    uint64_t words[IR_PARTITION_SET_WORDS];
} ir_partition_set_t;

static inline void ir_partition_set_add(ir_partition_set_t *set, unsigned partition) {
    set->words[partition / 64] |= UINT64_C(1) << partition % 64;
}

static inline bool ir_partition_set_has(const ir_partition_set_t *set, unsigned partition) {
    return (set->words[partition / 64] >> partition % 64 & 1) != 0;
}

static inline bool ir_partition_set_empty(const ir_partition_set_t *set) {
    uint64_t any = 0;
    for (int i = 0; i < IR_PARTITION_SET_WORDS; i++) {
        any |= set->words[i];
    }
    return any == 0;
}

unsigned ir_partition_set_count(const ir_partition_set_t *set);

bool ir_partition_set_equal(const ir_partition_set_t *a, const ir_partition_set_t *b);

/* Writes 64 hexadecimal digits, partition 255 first. */
void ir_partition_set_format(const ir_partition_set_t *set,
                             char text[static IR_PARTITION_SET_TEXT]);

/* Parses the text of a set. Returns false for any other text, and leaves `set` unchanged. */
bool ir_partition_set_parse(ir_view_t text, ir_partition_set_t *set);

/* Appends the set for people: "0-3, 7". */
void ir_partition_set_show(const ir_partition_set_t *set, ir_buffer_t *out);

#endif
