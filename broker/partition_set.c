#include "broker/partition_set.h"

#include <string.h>

unsigned ir_partition_set_count(const ir_partition_set_t *set) {
    unsigned count = 0;
    for (unsigned i = 0; i < IR_PARTITIONS_MAX; i++) {
        count += ir_partition_set_has(set, i);
    }
    return count;
}

bool ir_partition_set_equal(const ir_partition_set_t *a, const ir_partition_set_t *b) {
    return memcmp(a->words, b->words, sizeof a->words) == 0;
}

void ir_partition_set_format(const ir_partition_set_t *set,
                             char text[static IR_PARTITION_SET_TEXT]) {
    static const char digits[] = "0123456789abcdef";
    const unsigned size = IR_PARTITION_SET_TEXT - 1;
    for (unsigned i = 0; i < size; i++) {
        const unsigned nibble = size - 1 - i;
        text[i] = digits[set->words[nibble / 16] >> nibble % 16 * 4 & 15];
    }
    text[size] = '\0';
}

static int digit_value(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool ir_partition_set_parse(ir_view_t text, ir_partition_set_t *set) {
    ir_partition_set_t read = {{0}};
    if (text.size != IR_PARTITION_SET_TEXT - 1) {
        return false;
    }
    for (unsigned i = 0; i < text.size; i++) {
        const int value = digit_value(text.data[i]);
        const unsigned nibble = (unsigned)text.size - 1 - i;
        if (value < 0) {
            return false;
        }
        read.words[nibble / 16] |= (uint64_t)value << nibble % 16 * 4;
    }
    *set = read;
    return true;
}

void ir_partition_set_show(const ir_partition_set_t *set, ir_buffer_t *out) {
    const char *between = "";
    for (unsigned i = 0; i < IR_PARTITIONS_MAX; i++) {
        if (!ir_partition_set_has(set, i)) {
            continue;
        }
        unsigned last = i;
        while (last + 1 < IR_PARTITIONS_MAX && ir_partition_set_has(set, last + 1)) {
            last++;
        }
        ir_buffer_append_format(out, last > i ? "%s%u-%u" : "%s%u", between, i, last);
        between = ", ";
        i = last;
    }
}
