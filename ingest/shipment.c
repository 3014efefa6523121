#include "ingest/shipment.h"

#include "broker/topology.h"
#include "common/invariant.h"
#include "ingest/refusal.h"

#include <stdlib.h>
#include <string.h>

static ir_view_t put(char **at, const void *data, size_t size) {
    const ir_view_t copy = ir_view(*at, size);
    if (size > 0) {
        memcpy(*at, data, size);
    }
    *at += size;
    return copy;
}

static ir_shipment_t *copy_submission(const ir_submission_t *submission, const char *mote,
                                      ir_view_t refusals) {
    const size_t n = submission->n_packs;
    const size_t prefix = strlen(IR_ROUTING_PREFIX);
    ir_shipment_t *shipment = NULL;
    size_t bytes =
        sizeof *shipment + n * sizeof shipment->messages[0] + prefix + strlen(mote) + refusals.size;
    for (size_t i = 0; i < n; i++) {
        bytes += submission->packs[i].body.size + submission->packs[i].name.size;
    }
    shipment = malloc(bytes);
    if (shipment == NULL) {
        return NULL;
    }
    *shipment = (ir_shipment_t){.bytes = bytes,
                                .media = submission->media,
                                .open = n,
                                .fate = IR_SHIPMENT_CONFIRMED,
                                .n_messages = n};
    char *at = (char *)&shipment->messages[n];
    shipment->routing_key = ir_view(at, prefix + strlen(mote));
    put(&at, IR_ROUTING_PREFIX, prefix);
    put(&at, mote, strlen(mote));
    shipment->refusals = put(&at, refusals.data, refusals.size);
    for (size_t i = 0; i < n; i++) {
        const ir_submission_pack_t *pack = &submission->packs[i];
        shipment->messages[i].body = put(&at, pack->body.data, pack->body.size);
        shipment->messages[i].name = put(&at, pack->name.data, pack->name.size);
        shipment->messages[i].arrival_ns = pack->arrival_ns;
        shipment->messages[i].raw_id = pack->raw_id;
    }
    return shipment;
}

ir_shipment_t *ir_shipment_new(const ir_submission_t *submission, const char *mote) {
    ir_buffer_t refusals;
    ir_buffer_init(&refusals);
    ir_refusal_append_list(&refusals, submission);
    ir_shipment_t *shipment = ir_buffer_ok(&refusals)
                                  ? copy_submission(submission, mote, ir_buffer_view(&refusals))
                                  : NULL;
    ir_buffer_free(&refusals);
    return shipment;
}

void ir_shipment_free(ir_shipment_t *shipment) {
    free(shipment);
}

void ir_shipment_settle(ir_shipment_t *shipment, size_t n, ir_shipment_fate_t fate) {
    IR_INVARIANT(n <= shipment->open);
    shipment->open -= n;
    shipment->fate = fate > shipment->fate ? fate : shipment->fate;
}

void ir_shipment_append_answer(const ir_shipment_t *shipment, ir_buffer_t *out) {
    char id[IR_ID_TEXT_SIZE];
    ir_buffer_append_text(out, "{\"raw_ids\":[");
    for (size_t i = 0; i < shipment->n_messages; i++) {
        ir_buffer_append_text(out, i > 0 ? ",\"" : "\"");
        ir_buffer_append_text(out, ir_id_format(&shipment->messages[i].raw_id, id));
        ir_buffer_append_char(out, '"');
    }
    ir_buffer_append_char(out, ']');
    ir_buffer_append_view(out, shipment->refusals);
    ir_buffer_append_text(out, "}\n");
}

size_t ir_shipment_body_bytes(const ir_shipment_t *shipment) {
    size_t bytes = 0;
    for (size_t i = 0; i < shipment->n_messages; i++) {
        bytes += shipment->messages[i].body.size;
    }
    return bytes;
}
