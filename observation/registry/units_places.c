#include "observation/registry/build.h"
#include "observation/registry/literals.h"

#include "observation/senml/senml.h"

#include <stdlib.h>

/* ---- units ---- */

static const char *local_name(const char *iri) {
    const char *local = iri;
    for (const char *c = iri; *c != '\0'; c++) {
        if ((*c == '/' || *c == '#' || *c == ':') && c[1] != '\0') {
            local = c + 1;
        }
    }
    return local;
}

/* The unit in the table for a QUDT IRI, or NULL. */
static const ir_unit_t *known_qudt(const char *iri) {
    const size_t prefix = strlen(IR_QUDT_UNIT);
    return strncmp(iri, IR_QUDT_UNIT, prefix) == 0 ? ir_unit_find_qudt(ir_view_text(iri + prefix))
                                                   : NULL;
}

static bool legal_unit_text(ir_view_t text) {
    for (size_t i = 0; i < text.size; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        if (c < ' ' || c == 0x7F) {
            return false;
        }
    }
    return text.size > 0 && text.size <= IR_UNIT_SIZE_MAX;
}

/* A unit that is not in the table: it converts only to itself. */
static ir_status_t make_unit(const ir_builder_t *builder, const char *iri, const char *text,
                             const ir_unit_t **unit) {
    ir_unit_t *made = ir_builder_alloc(builder, sizeof *made);
    if (made == NULL) {
        return IR_ERR_MEMORY;
    }
    *made = (ir_unit_t){.qudt = local_name(iri),
                        .ucum = text,
                        .senml = text,
                        .aliases = "",
                        .label = text,
                        .quantity = iri,
                        .apart = text,
                        .factor = 1};
    *unit = made;
    return IR_OK;
}

static ir_status_t qudt_iri(const ir_builder_t *builder, const ir_unit_t *unit, const char **iri) {
    const size_t size = strlen(IR_QUDT_UNIT) + strlen(unit->qudt) + 1;
    char *text = ir_builder_alloc(builder, size);
    if (text == NULL) {
        return IR_ERR_MEMORY;
    }
    snprintf(text, size, "%s%s", IR_QUDT_UNIT, unit->qudt);
    *iri = text;
    return IR_OK;
}

static ir_status_t unit_by_iri(const ir_builder_t *builder, const ir_fact_t *named,
                               const ir_unit_t **unit, const char **iri) {
    const ir_unit_t *known = known_qudt(named->object->iri);
    if (known == NULL) {
        return ir_fact_fault(
            builder, named,
            "unit %s is not in the table of units; correct it, or add ir:unitText with the unit as "
            "the motes send it, to use it unchanged, without conversion",
            ir_node_show(named->object).text);
    }
    *unit = known;
    *iri = named->object->iri;
    return IR_OK;
}

static ir_status_t unit_by_text(const ir_builder_t *builder, const ir_fact_t *written,
                                const ir_unit_t **unit, const char **iri) {
    const ir_unit_t *known = ir_unit_find(written->object->text);
    if (known == NULL) {
        return ir_fact_fault(
            builder, written,
            "ir:unitText \"%.40s\" is not in the table of units; correct it, or add qudt:hasUnit "
            "with an IRI for it, to use it unchanged, without conversion",
            written->object->text.data);
    }
    const ir_status_t status = qudt_iri(builder, known, iri);
    if (status == IR_OK) {
        *unit = known;
    }
    return status;
}

static ir_status_t unit_by_both(const ir_builder_t *builder, const ir_fact_t *named,
                                const ir_fact_t *written, const ir_unit_t **unit,
                                const char **iri) {
    const ir_unit_t *by_iri = known_qudt(named->object->iri);
    const ir_unit_t *by_text = ir_unit_find(written->object->text);
    const bool agree =
        by_iri != NULL && by_text != NULL && strcmp(by_iri->qudt, by_text->qudt) == 0;
    if (!agree && (by_iri != NULL || by_text != NULL)) {
        return ir_fact_fault(builder, written,
                             "ir:unitText \"%.40s\" and qudt:hasUnit %s are not the same unit; "
                             "remove one, or correct it",
                             written->object->text.data, ir_node_show(named->object).text);
    }
    const ir_status_t status =
        agree ? IR_OK
              : make_unit(builder, named->object->iri, written->object->text.data, &by_text);
    if (status == IR_OK) {
        *unit = by_text;
        *iri = named->object->iri;
    }
    return status;
}

ir_status_t ir_unit_build(const ir_builder_t *builder, const ir_node_t *subject,
                          const ir_unit_t **unit, const char **iri) {
    const ir_fact_t *named = NULL;
    const ir_fact_t *written = NULL;
    ir_status_t status = ir_fact_single(builder, subject, IR_REGISTRY_TERM_HAS_UNIT, &named);
    if (status == IR_OK) {
        status = ir_fact_single(builder, subject, IR_REGISTRY_TERM_UNIT_TEXT, &written);
    }
    if (status == IR_OK && named != NULL && named->object->kind != IR_NODE_IRI) {
        status = ir_fact_must_be(builder, named, "the IRI of a QUDT unit, unit:DEG_C");
    }
    if (status == IR_OK && written != NULL &&
        (written->object->kind != IR_NODE_LITERAL || !legal_unit_text(written->object->text))) {
        status = ir_fact_must_be(builder, written, "a text of 1 to 31 bytes, \"Cel\"");
    }
    if (status != IR_OK || (named == NULL && written == NULL)) {
        return status;
    }
    if (named != NULL && written != NULL) {
        return unit_by_both(builder, named, written, unit, iri);
    }
    return named != NULL ? unit_by_iri(builder, named, unit, iri)
                         : unit_by_text(builder, written, unit, iri);
}

/* ---- places ---- */

static ir_status_t set_place(const ir_builder_t *builder, const ir_fact_t *statement,
                             double latitude, double longitude, ir_mote_t *mote) {
    if (latitude < -90 || latitude > 90 || longitude < -180 || longitude > 180) {
        return ir_fact_fault(builder, statement,
                             "the place of %s is latitude %g, longitude %g: must be -90 to 90 and "
                             "-180 to 180 degrees",
                             ir_node_show(statement->subject).text, latitude, longitude);
    }
    mote->has_place = true;
    mote->latitude = latitude;
    mote->longitude = longitude;
    return IR_OK;
}

static ir_status_t read_lat_long(const ir_builder_t *builder, const ir_fact_t *latitude,
                                 const ir_fact_t *longitude, ir_mote_t *mote) {
    static const char what[] = "a number of degrees";
    double degrees[2] = {0, 0};
    if (latitude == NULL || longitude == NULL) {
        const ir_fact_t *alone = latitude != NULL ? latitude : longitude;
        return ir_turtle_lack(builder->turtle, alone->subject, alone->at, "%s of %s needs %s, too",
                              ir_node_show(alone->predicate).text,
                              ir_node_show(alone->subject).text,
                              latitude != NULL ? "geo:long" : "geo:lat");
    }
    ir_status_t status = ir_literal_number(builder, latitude, what, &degrees[0]);
    if (status == IR_OK) {
        status = ir_literal_number(builder, longitude, what, &degrees[1]);
    }
    return status == IR_OK ? set_place(builder, latitude, degrees[0], degrees[1], mote) : status;
}

/* Parses "POINT(LONG LAT)", optionally after the IRI of the reference system CRS84, the default. */
static ir_status_t read_wkt(const ir_builder_t *builder, const ir_fact_t *wkt, ir_mote_t *mote) {
    static const char crs84[] = "<http://www.opengis.net/def/crs/OGC/1.3/CRS84>";
    ir_view_t text = {NULL, 0};
    double longitude = 0;
    double latitude = 0;
    int end = 0;
    const ir_status_t status = ir_literal_text(builder, wkt, "a text \"POINT(LONG LAT)\"", &text);
    if (status != IR_OK) {
        return status;
    }
    const char *point = text.data;
    if (strncmp(point, crs84, sizeof crs84 - 1) == 0) {
        point += sizeof crs84 - 1;
    }
    // NOLINTNEXTLINE(cert-err34-c): both numbers are checked against their bounds below
    if (sscanf(point, " POINT ( %lf %lf ) %n", &longitude, &latitude, &end) != 2 || end == 0 ||
        point[end] != '\0') {
        return ir_fact_must_be(builder, wkt,
                               "\"POINT(LONG LAT)\" in degrees of CRS84 (or give geo:lat and "
                               "geo:long of wgs84_pos)");
    }
    return set_place(builder, wkt, latitude, longitude, mote);
}

ir_status_t ir_place_build(const ir_builder_t *builder, const ir_node_t *subject, ir_mote_t *mote) {
    const ir_fact_t *found[4] = {NULL, NULL, NULL, NULL};
    static const ir_registry_term_t terms[4] = {IR_REGISTRY_TERM_LATITUDE,
                                                IR_REGISTRY_TERM_LONGITUDE, IR_REGISTRY_TERM_WKT,
                                                IR_REGISTRY_TERM_GEOMETRY};
    for (size_t i = 0; i < 4; i++) {
        const ir_status_t status = ir_fact_single(builder, subject, terms[i], &found[i]);
        if (status != IR_OK) {
            return status;
        }
    }
    if (found[0] != NULL || found[1] != NULL) {
        return read_lat_long(builder, found[0], found[1], mote);
    }
    const ir_fact_t *wkt = found[2];
    if (wkt == NULL && found[3] != NULL) {
        wkt = ir_fact_of(found[3]->object, IR_REGISTRY_TERM_WKT);
    }
    return wkt != NULL ? read_wkt(builder, wkt, mote) : IR_OK;
}
