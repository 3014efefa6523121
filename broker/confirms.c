#include "broker/confirms.h"

#include "common/invariant.h"

#include <string.h>

#define NONE 0

void ir_confirms_init(ir_confirms_t *confirms) {
    confirms->next = 1;
    confirms->open = confirms->bytes = 0;
    confirms->oldest = confirms->newest = NONE;
    confirms->free = NONE;
    confirms->used = 0;
    memset(confirms->heads, 0, sizeof confirms->heads);
}

static ir_confirm_t *at(ir_confirms_t *confirms, uint16_t place) {
    return &confirms->places[place - 1];
}

static uint16_t *head_of(ir_confirms_t *confirms, uint64_t tag) {
    return &confirms->heads[tag % IR_CONFIRMS_WINDOW];
}

uint64_t ir_confirms_oldest(const ir_confirms_t *confirms) {
    return confirms->oldest != NONE ? confirms->places[confirms->oldest - 1].tag : confirms->next;
}

/* ---- places ---- */

static uint16_t take_place(ir_confirms_t *confirms) {
    const uint16_t place = confirms->free;
    if (place == NONE) {
        return ++confirms->used;
    }
    confirms->free = at(confirms, place)->next;
    return place;
}

void ir_confirms_publish(ir_confirms_t *confirms, size_t bytes, void *ticket) {
    IR_INVARIANT(confirms->open < IR_CONFIRMS_WINDOW);
    const uint64_t tag = confirms->next++;
    const uint16_t place = take_place(confirms);
    uint16_t *head = head_of(confirms, tag);
    *at(confirms, place) = (ir_confirm_t){
        .tag = tag, .bytes = bytes, .ticket = ticket, .older = confirms->newest, .next = *head};
    *head = place;
    if (confirms->newest != NONE) {
        at(confirms, confirms->newest)->newer = place;
    } else {
        confirms->oldest = place;
    }
    confirms->newest = place;
    confirms->open++;
    confirms->bytes += bytes;
}

/* Returns the link to the table entry of an open message; NONE when the message is not open. */
static uint16_t *link_to(ir_confirms_t *confirms, uint64_t tag) {
    uint16_t *link = head_of(confirms, tag);
    while (*link != NONE && at(confirms, *link)->tag != tag) {
        link = &at(confirms, *link)->next;
    }
    return link;
}

/* Frees the table entry that the link points to. */
static void close_place(ir_confirms_t *confirms, uint16_t *link) {
    const uint16_t place = *link;
    ir_confirm_t *closed = at(confirms, place);
    IR_INVARIANT(confirms->open > 0 && confirms->bytes >= closed->bytes);
    *link = closed->next;
    *(closed->older != NONE ? &at(confirms, closed->older)->newer : &confirms->oldest) =
        closed->newer;
    *(closed->newer != NONE ? &at(confirms, closed->newer)->older : &confirms->newest) =
        closed->older;
    confirms->open--;
    confirms->bytes -= closed->bytes;
    closed->next = confirms->free;
    confirms->free = place;
}

/* ---- answers ---- */

static uint64_t answer_one(ir_confirms_t *confirms, uint64_t tag, ir_confirms_fn each,
                           void *context) {
    uint16_t *link = link_to(confirms, tag);
    if (*link == NONE) {
        return 0;
    }
    void *ticket = at(confirms, *link)->ticket;
    close_place(confirms, link);
    if (each != NULL) {
        each(context, tag, ticket);
    }
    return 1;
}

bool ir_confirms_answer(ir_confirms_t *confirms, uint64_t tag, bool multiple, ir_confirms_fn each,
                        void *context, uint64_t *answered) {
    if (tag == 0 && multiple) {
        tag = confirms->next - 1;
    }
    if (tag >= confirms->next || (tag == 0 && !multiple)) {
        return false;
    }
    *answered = 0;
    if (!multiple) {
        *answered = answer_one(confirms, tag, each, context);
    }
    while (multiple && confirms->oldest != NONE && ir_confirms_oldest(confirms) <= tag) {
        *answered += answer_one(confirms, ir_confirms_oldest(confirms), each, context);
    }
    return true;
}

void ir_confirms_forget(ir_confirms_t *confirms, uint64_t tag) {
    answer_one(confirms, tag, NULL, NULL);
}
