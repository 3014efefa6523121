#include "observation/registry/build.h"
#include "observation/registry/literals.h"

#include "observation/senml/senml.h"

#define MOTE_ID_MAX 200 /* short enough for a routing key with "sensorthings." in front */

/* ---- motes, properties, features ---- */

/* Chooses a label: the English one if there is one, else the first without a language, else the
 * first. */
const char *ir_node_label(const ir_node_t *node) {
    const char *label = "";
    int best = 0;
    for (const ir_fact_t *s = node->first; s != NULL; s = s->next_of_same) {
        if (s->predicate->term == IR_REGISTRY_TERM_LABEL && s->object->kind == IR_NODE_LITERAL) {
            const bool english =
                s->object->language.size >= 2 && strncmp(s->object->language.data, "en", 2) == 0;
            const int rank = english ? 3 : s->object->language.size == 0 ? 2 : 1;
            label = rank > best ? s->object->text.data : label;
            best = rank > best ? rank : best;
        }
    }
    return label;
}

static bool is_name_byte(char c, const char *also) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(also, c) != NULL);
}

bool ir_name_valid(ir_view_t text, size_t longest, const char *also) {
    if (text.size == 0 || text.size > longest || !is_name_byte(text.data[0], "")) {
        return false;
    }
    for (size_t i = 1; i < text.size; i++) {
        if (!is_name_byte(text.data[i], also)) {
            return false;
        }
    }
    return true;
}

bool ir_mote_id_valid(ir_view_t id) {
    return ir_name_valid(id, MOTE_ID_MAX, "-:_");
}

bool ir_sensor_name_valid(ir_view_t name) {
    return ir_name_valid(name, IR_NAME_SIZE_MAX, "-:./_");
}

ir_status_t ir_mote_build(const ir_builder_t *builder, ir_node_t *node) {
    const ir_fact_t *given = NULL;
    ir_view_t id = {NULL, 0};
    ir_status_t status = ir_fact_single(builder, node, IR_REGISTRY_TERM_MOTE_ID, &given);
    if (status == IR_OK) {
        status = ir_literal_text(builder, given, "a text, \"USGS-08068500\"", &id);
    }
    if (status == IR_OK && !ir_mote_id_valid(id)) {
        status = ir_fact_must_be(builder, given,
                                 "letters, digits, '-', ':' and '_', a letter or digit first, "
                                 "200 at most (it is part of routing keys)");
    }
    if (status != IR_OK || node->meanings[IR_MEANING_MOTE] != NULL) {
        return status;
    }
    const ir_mote_t *other = ir_name_table_find(&builder->registry->motes, id);
    if (other != NULL) {
        return ir_fact_fault(
            builder, given,
            "ir:moteId \"%s\" of %s is also that of <%.100s>%s; each mote needs "
            "its own",
            id.data, ir_node_show(node).text, other->iri,
            ir_defined_show(builder, other->iri, IR_REGISTRY_TERM_MOTE_ID, given->at).text);
    }
    ir_mote_t *mote = ir_builder_alloc(builder, sizeof *mote);
    if (mote == NULL) {
        return IR_ERR_MEMORY;
    }
    *mote = (ir_mote_t){.id = id.data, .iri = node->iri, .label = ir_node_label(node)};
    node->meanings[IR_MEANING_MOTE] = mote;
    status = ir_builder_name(builder, &builder->registry->motes, id, mote);
    if (status == IR_OK) {
        status = ir_place_build(builder, node, mote);
    }
    return status == IR_OK ? ir_builder_type(builder, node, IR_REGISTRY_TERM_PLATFORM) : status;
}

/* Returns the IRI's last segment, without a '/' or '#' at its end. */
static ir_status_t key_of(const ir_builder_t *builder, const char *iri, const char **key) {
    size_t end = strlen(iri);
    while (end > 0 && strchr("/#:", iri[end - 1]) != NULL) {
        end--;
    }
    size_t begin = end;
    while (begin > 0 && strchr("/#:", iri[begin - 1]) == NULL) {
        begin--;
    }
    char *text = ir_builder_alloc(builder, end - begin + 1);
    if (text == NULL) {
        return IR_ERR_MEMORY;
    }
    memcpy(text, iri + begin, end - begin);
    *key = text;
    return IR_OK;
}

ir_status_t ir_property_build(const ir_builder_t *builder, ir_node_t *node,
                              const ir_property_t **property) {
    if (node->meanings[IR_MEANING_PROPERTY] == NULL) {
        const ir_fact_t *quantity = NULL;
        ir_property_t *made = ir_builder_alloc(builder, sizeof *made);
        if (made == NULL) {
            return IR_ERR_MEMORY;
        }
        made->iri = node->iri;
        made->label = ir_node_label(node);
        ir_status_t status = key_of(builder, node->iri, &made->key);
        if (status == IR_OK) {
            status = ir_fact_single(builder, node, IR_REGISTRY_TERM_QUANTITY, &quantity);
        }
        if (status == IR_OK && quantity != NULL) {
            ir_node_t *kind = NULL;
            status = ir_fact_node(builder, quantity, "the IRI of a quantity kind", &kind);
            made->quantity_iri = kind != NULL ? kind->iri : NULL;
        }
        if (status == IR_OK) {
            status = ir_builder_type(builder, node, IR_REGISTRY_TERM_OBSERVABLE_PROPERTY);
        }
        if (status != IR_OK) {
            return status;
        }
        node->meanings[IR_MEANING_PROPERTY] = made;
    }
    *property = node->meanings[IR_MEANING_PROPERTY];
    return IR_OK;
}

ir_status_t ir_feature_build(const ir_builder_t *builder, ir_node_t *node,
                             const ir_feature_t **feature) {
    if (node->meanings[IR_MEANING_FEATURE] == NULL) {
        ir_feature_t *made = ir_builder_alloc(builder, sizeof *made);
        if (made == NULL) {
            return IR_ERR_MEMORY;
        }
        *made = (ir_feature_t){.iri = node->iri, .label = ir_node_label(node)};
        const ir_status_t status = ir_builder_type(builder, node, IR_REGISTRY_TERM_FEATURE_CLASS);
        if (status != IR_OK) {
            return status;
        }
        node->meanings[IR_MEANING_FEATURE] = made;
    }
    *feature = node->meanings[IR_MEANING_FEATURE];
    return IR_OK;
}
