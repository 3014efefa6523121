#include "store/ledger_parts.h"

#include "common/arena.h"
#include "common/name_table.h"
#include "observation/id_set.h"

#include <stdlib.h>
#include <string.h>

#define KINDS 2
#define FIRST_CAPACITY 1024
#define ARENA_CHUNK ((size_t)64 * 1024)

enum {
    MARK_REQUIRED = 1,
    MARK_SEEN = 2,
    MARK_SURPLUS = 4 /* how many more copies of a message were seen than sent */
};

/* Only byte arrays, so that an entry takes 17 bytes. */
typedef struct ir_ledger_entry {
    ir_id_t id;
    uint8_t marks;
} ir_ledger_entry_t;

typedef struct ir_ledger_set {
    ir_ledger_entry_t *entries; /* sorted by id, distinct */
    size_t count, capacity;
} ir_ledger_set_t;

/* Messages with relative times and the same mote and body, which only their arrival distinguishes;
 * or one message with a name. */
typedef struct ir_ledger_group {
    ir_id_t key;
    uint32_t messages, records, sent, confirmed;
    uint32_t found; /* raw messages found */
    bool named;
} ir_ledger_group_t;

struct ir_ledger {
    ir_ledger_set_t sets[KINDS];
    ir_name_table_t motes; /* motes that sent; in the arena */
    ir_arena_t *arena;
    ir_id_set_t others;        /* observations of other motes, as far as the documents show */
    ir_ledger_group_t *groups; /* sorted by key, distinct */
    size_t n_groups, groups_capacity;
    uint64_t lacking, excess; /* observations of the raw messages seen, to be compared with
                               * `records` */
    ir_ledger_kind_t kind;    /* kind of the current comparison */
    ir_ledger_result_t result;
};

/* ---- the content ---- */

/* Makes room for one more item. Returns false when memory is exhausted. */
static bool reserve(void **array, size_t *capacity, size_t count, size_t size) {
    if (count < *capacity) {
        return true;
    }
    const size_t wanted = *capacity > 0 ? *capacity * 2 : FIRST_CAPACITY;
    void *grown = realloc(*array, wanted * size);
    if (grown == NULL) {
        return false;
    }
    *array = grown;
    *capacity = wanted;
    return true;
}

static bool add_entry(ir_ledger_set_t *set, const ir_id_t *id, uint8_t marks) {
    if (!reserve((void **)&set->entries, &set->capacity, set->count, sizeof set->entries[0])) {
        return false;
    }
    set->entries[set->count++] = (ir_ledger_entry_t){*id, marks};
    return true;
}

bool ir_ledger_note(ir_ledger_t *ledger, ir_ledger_kind_t kind, const ir_id_t *id, bool required) {
    return add_entry(&ledger->sets[kind], id, required ? MARK_REQUIRED : 0);
}

bool ir_ledger_note_mote(ir_ledger_t *ledger, ir_view_t mote) {
    if (ir_name_table_find(&ledger->motes, mote) != NULL) {
        return true;
    }
    const ir_view_t kept = ir_arena_copy(ledger->arena, mote);
    return kept.data != NULL && ir_name_table_add(&ledger->motes, kept, ledger);
}

bool ir_ledger_note_arrival(ir_ledger_t *ledger, const ir_ledger_arrival_t *arrival) {
    if (!reserve((void **)&ledger->groups, &ledger->groups_capacity, ledger->n_groups,
                 sizeof ledger->groups[0])) {
        return false;
    }
    const bool named = arrival->name.size > 0;
    ledger->groups[ledger->n_groups++] =
        (ir_ledger_group_t){.key = named ? arrival->raw_id : arrival->content,
                            .messages = 1,
                            .records = arrival->records,
                            .sent = arrival->sent,
                            .confirmed = arrival->confirmed,
                            .named = named};
    return true;
}

static int compare_entries(const void *a, const void *b) {
    return ir_id_compare(&((const ir_ledger_entry_t *)a)->id, &((const ir_ledger_entry_t *)b)->id);
}

static void sort_set(ir_ledger_set_t *set) {
    if (set->count == 0) {
        return;
    }
    qsort(set->entries, set->count, sizeof *set->entries, compare_entries);
    size_t kept = 0;
    for (size_t i = 1; i < set->count; i++) {
        if (compare_entries(&set->entries[kept], &set->entries[i]) == 0) {
            set->entries[kept].marks |= set->entries[i].marks;
        } else {
            set->entries[++kept] = set->entries[i];
        }
    }
    set->count = kept + 1;
}

static int compare_groups(const void *a, const void *b) {
    return ir_id_compare(&((const ir_ledger_group_t *)a)->key,
                         &((const ir_ledger_group_t *)b)->key);
}

/* Adds the counts of another line to the group. The line is about the same message, or about the
 * same reading sent as another message. */
static void join(ir_ledger_group_t *group, const ir_ledger_group_t *other) {
    group->messages += other->messages;
    group->sent += other->sent;
    group->confirmed += other->confirmed;
}

static void sort_groups(ir_ledger_t *ledger) {
    ir_ledger_group_t *groups = ledger->groups;
    if (ledger->n_groups == 0) {
        return;
    }
    qsort(groups, ledger->n_groups, sizeof *groups, compare_groups);
    size_t kept = 0;
    for (size_t i = 1; i < ledger->n_groups; i++) {
        if (compare_groups(&groups[kept], &groups[i]) == 0) {
            join(&groups[kept], &groups[i]);
        } else {
            groups[++kept] = groups[i];
        }
    }
    ledger->n_groups = kept + 1;
}

void ir_ledger_sort(ir_ledger_t *ledger) {
    for (int kind = 0; kind < KINDS; kind++) {
        sort_set(&ledger->sets[kind]);
    }
    sort_groups(ledger);
}

ir_ledger_t *ir_ledger_new(void) {
    ir_ledger_t *ledger = calloc(1, sizeof *ledger);
    if (ledger != NULL && (ledger->arena = ir_arena_new(ARENA_CHUNK)) == NULL) {
        free(ledger);
        return NULL;
    }
    return ledger;
}

void ir_ledger_free(ir_ledger_t *ledger) {
    if (ledger == NULL) {
        return;
    }
    for (int kind = 0; kind < KINDS; kind++) {
        free(ledger->sets[kind].entries);
    }
    free(ledger->groups);
    ir_name_table_free(&ledger->motes);
    ir_id_set_free(&ledger->others);
    ir_arena_free(ledger->arena);
    free(ledger);
}

/* ---- looking up ---- */

static ir_ledger_entry_t *find_entry(const ir_ledger_set_t *set, const ir_id_t *id) {
    const ir_ledger_entry_t wanted = {*id, 0};
    return set->count == 0
               ? NULL
               : bsearch(&wanted, set->entries, set->count, sizeof wanted, compare_entries);
}

static ir_ledger_group_t *find_group(const ir_ledger_t *ledger, const ir_id_t *key) {
    const ir_ledger_group_t wanted = {.key = *key};
    return ledger->n_groups == 0
               ? NULL
               : bsearch(&wanted, ledger->groups, ledger->n_groups, sizeof wanted, compare_groups);
}

bool ir_ledger_knows_raw(const ir_ledger_t *ledger, const ir_id_t *raw_id) {
    return find_entry(&ledger->sets[IR_LEDGER_RAW], raw_id) != NULL;
}

bool ir_ledger_has_arrivals(const ir_ledger_t *ledger) {
    return ledger->n_groups > 0;
}

bool ir_ledger_has_arrival(const ir_ledger_t *ledger, const ir_id_t *key) {
    return find_group(ledger, key) != NULL;
}

/* ---- comparing ---- */

void ir_ledger_begin(ir_ledger_t *ledger, ir_ledger_kind_t kind) {
    ledger->kind = kind;
    ledger->result = (ir_ledger_result_t){.expected = 0};
    ir_ledger_set_t *set = &ledger->sets[kind];
    for (size_t i = 0; i < set->count; i++) {
        set->entries[i].marks &= (uint8_t)~MARK_SEEN;
    }
}

/* Counts an id that the ledger does not have. Returns false when memory is exhausted. */
static bool see_unknown(ir_ledger_t *ledger, const ir_id_t *id, ir_view_t mote) {
    if (mote.size == 0 || ledger->motes.count == 0 ||
        ir_name_table_find(&ledger->motes, mote) != NULL) {
        const bool other = mote.size == 0 && ir_id_set_has(&ledger->others, id);
        ledger->result.foreign += !other;
        ledger->result.others += other;
        return true;
    }
    ledger->result.others++;
    if (ledger->kind != IR_LEDGER_OBSERVATION) {
        return true;
    }
    if (!ir_id_set_reserve(&ledger->others, 1)) {
        return false;
    }
    ir_id_set_add(&ledger->others, id);
    return true;
}

bool ir_ledger_see(ir_ledger_t *ledger, const ir_id_t *id, ir_view_t mote) {
    ir_ledger_entry_t *found = find_entry(&ledger->sets[ledger->kind], id);
    if (found == NULL) {
        return see_unknown(ledger, id, mote);
    }
    if ((found->marks & (MARK_SEEN | MARK_SURPLUS)) != 0 &&
        (found->marks & (MARK_SEEN | MARK_REQUIRED)) != MARK_REQUIRED) {
        ledger->result.doubled++;
    } else {
        found->marks |= MARK_SEEN;
        ledger->result.present++;
    }
    return true;
}

/* Returns how often the message may be stored. With a name, a message counts once however often it
 * was sent. */
static uint32_t most_of(const ir_ledger_group_t *group) {
    return group->named ? 1 : group->sent;
}

ir_status_t ir_ledger_see_arrival(ir_ledger_t *ledger, const ir_id_t *key,
                                  const ir_id_t *observations, size_t n_observations) {
    ir_ledger_group_t *group = find_group(ledger, key);
    group->found++;
    const bool surplus = group->found > most_of(group);
    if (!surplus && n_observations < group->records) {
        ledger->lacking += group->records - n_observations;
    } else if (n_observations > group->records) {
        ledger->excess += n_observations - group->records;
    }
    for (size_t i = 0; i < n_observations; i++) {
        if (!add_entry(&ledger->sets[IR_LEDGER_OBSERVATION], &observations[i],
                       surplus ? MARK_SURPLUS : MARK_REQUIRED)) {
            return IR_ERR_MEMORY;
        }
    }
    return IR_OK;
}

static uint32_t least_of(const ir_ledger_group_t *group) {
    return group->named && group->confirmed > 1 ? 1 : group->confirmed;
}

/* Counts missing and repeated messages. A confirmed message must be stored. A message that was sent
 * again may be stored more often. */
static void judge_raw_group(ir_ledger_result_t *result, const ir_ledger_group_t *group) {
    const uint32_t least = least_of(group);
    const uint32_t most = most_of(group);
    const uint32_t within = group->found < most ? group->found : most;
    const uint32_t messages = group->named ? 1 : group->messages;
    result->expected += least;
    result->missing += least > group->found ? least - group->found : 0;
    result->doubled += group->found - within;
    result->present += within < messages ? within : messages;
    result->again += within > messages ? within - messages : 0;
}

static void judge_groups(const ir_ledger_t *ledger, ir_ledger_result_t *result) {
    for (size_t i = 0; i < ledger->n_groups; i++) {
        const ir_ledger_group_t *group = &ledger->groups[i];
        if (ledger->kind == IR_LEDGER_RAW) {
            judge_raw_group(result, group);
        } else if (least_of(group) > group->found) {
            const uint64_t lost = (uint64_t)(least_of(group) - group->found) * group->records;
            result->expected += lost;
            result->missing += lost;
        }
    }
    if (ledger->kind == IR_LEDGER_OBSERVATION) {
        result->expected += ledger->lacking;
        result->missing += ledger->lacking;
        result->foreign += ledger->excess;
    }
}

void ir_ledger_end(ir_ledger_t *ledger, ir_ledger_result_t *result) {
    const ir_ledger_set_t *set = &ledger->sets[ledger->kind];
    for (size_t i = 0; i < set->count; i++) {
        const uint8_t marks = set->entries[i].marks;
        ledger->result.expected += (marks & MARK_REQUIRED) != 0;
        ledger->result.missing += (marks & (MARK_REQUIRED | MARK_SEEN)) == MARK_REQUIRED;
    }
    judge_groups(ledger, &ledger->result);
    if (ledger->kind == IR_LEDGER_RAW) {
        sort_set(&ledger->sets[IR_LEDGER_OBSERVATION]);
    }
    *result = ledger->result;
}
