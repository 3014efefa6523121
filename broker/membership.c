#include "broker/membership.h"

#include "common/rendezvous.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMBERS_MAX 1024
#define NAME_MAX_SIZE 255

typedef struct ir_member {
    char *name;
    size_t size;
    int64_t seen_ns;
    bool says; /* `held` is known */
    ir_partition_set_t held;
} ir_member_t;

/* The first member is this worker. */
struct ir_membership {
    ir_member_t *members;
    size_t count, capacity;
    int64_t expiry_ns;
};

static ir_view_t name_of(const ir_member_t *member) {
    return ir_view(member->name, member->size);
}

static bool has_room(ir_membership_t *membership) {
    if (membership->count < membership->capacity) {
        return true;
    }
    if (membership->count >= MEMBERS_MAX) {
        return false;
    }
    const size_t capacity = membership->capacity * 2;
    ir_member_t *members = realloc(membership->members, capacity * sizeof *members);
    if (members == NULL) {
        return false;
    }
    membership->members = members;
    membership->capacity = capacity;
    return true;
}

static bool add(ir_membership_t *membership, ir_view_t name, int64_t now_ns) {
    if (name.size == 0 || !has_room(membership)) {
        return false;
    }
    char *copy = malloc(name.size);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, name.data, name.size);
    membership->members[membership->count++] =
        (ir_member_t){.name = copy, .size = name.size, .seen_ns = now_ns};
    return true;
}

static void take_out(ir_membership_t *membership, size_t index) {
    free(membership->members[index].name);
    membership->members[index] = membership->members[--membership->count];
}

/* Returns the index of the member; if there is no such member, the number of members. */
static size_t find(const ir_membership_t *membership, ir_view_t name) {
    size_t i = 0;
    while (i < membership->count && !ir_view_equal(name_of(&membership->members[i]), name)) {
        i++;
    }
    return i;
}

ir_membership_t *ir_membership_new(const char *self, int64_t expiry_ns) {
    ir_membership_t *membership = calloc(1, sizeof *membership);
    if (membership == NULL) {
        return NULL;
    }
    membership->expiry_ns = expiry_ns;
    membership->capacity = 4;
    membership->members = calloc(membership->capacity, sizeof *membership->members);
    if (membership->members == NULL || !add(membership, ir_view_text(self), 0)) {
        ir_membership_free(membership);
        return NULL;
    }
    return membership;
}

void ir_membership_free(ir_membership_t *membership) {
    if (membership == NULL) {
        return;
    }
    for (size_t i = 0; i < membership->count; i++) {
        free(membership->members[i].name);
    }
    free(membership->members);
    free(membership);
}

bool ir_membership_seen(ir_membership_t *membership, ir_view_t name, int64_t now_ns) {
    if (name.size == 0 || name.size > NAME_MAX_SIZE) {
        return false;
    }
    const size_t i = find(membership, name);
    if (i < membership->count) {
        membership->members[i].seen_ns = now_ns;
        return false;
    }
    return add(membership, name, now_ns);
}

bool ir_membership_left(ir_membership_t *membership, ir_view_t name) {
    const size_t i = find(membership, name);
    if (i == 0 || i == membership->count) {
        return false;
    }
    take_out(membership, i);
    return true;
}

void ir_membership_holds(ir_membership_t *membership, ir_view_t name,
                         const ir_partition_set_t *held) {
    const size_t i = find(membership, name);
    if (i < membership->count) {
        membership->members[i].says = true;
        membership->members[i].held = *held;
    }
}

bool ir_membership_expire(ir_membership_t *membership, int64_t now_ns) {
    bool changed = false;
    for (size_t i = membership->count - 1; i > 0; i--) {
        if (now_ns - membership->members[i].seen_ns > membership->expiry_ns) {
            take_out(membership, i);
            changed = true;
        }
    }
    return changed;
}

/* If two weights are equal, which practically never happens for different names, the smaller name
 * wins. So all workers agree. */
static bool goes_before(const ir_member_t *a, const ir_member_t *b) {
    const size_t shorter = a->size < b->size ? a->size : b->size;
    const int order = memcmp(a->name, b->name, shorter);
    return order != 0 ? order < 0 : a->size < b->size;
}

static size_t owner_of(const ir_membership_t *membership, unsigned partition) {
    char text[16];
    const int size = snprintf(text, sizeof text, "%u", partition);
    const ir_view_t key = ir_view(text, (size_t)size);
    const ir_member_t *members = membership->members;
    size_t owner = 0;
    uint64_t most = ir_rendezvous_weight(name_of(&members[0]), key);
    for (size_t i = 1; i < membership->count; i++) {
        const uint64_t weight = ir_rendezvous_weight(name_of(&members[i]), key);
        if (weight > most || (weight == most && goes_before(&members[i], &members[owner]))) {
            owner = i;
            most = weight;
        }
    }
    return owner;
}

bool ir_membership_owns(const ir_membership_t *membership, unsigned partition) {
    return owner_of(membership, partition) == 0;
}

bool ir_membership_serves(const ir_membership_t *membership, unsigned partition) {
    bool silent = false;
    for (size_t i = 1; i < membership->count; i++) {
        const ir_member_t *member = &membership->members[i];
        if (member->says && ir_partition_set_has(&member->held, partition)) {
            return true;
        }
        silent = silent || !member->says;
    }
    if (!silent) {
        return false;
    }
    const size_t owner = owner_of(membership, partition);
    return owner > 0 && !membership->members[owner].says;
}

size_t ir_membership_count(const ir_membership_t *membership) {
    return membership->count;
}
