#include "stations/turtle.h"

#include "common/number.h"
#include "observation/registry/prefixes.h"

static const char head[] = "# Written by ir-registry from-csv. docs/reference/registry.md explains "
                           "every term, and what else can be "
                           "said.\n"
                           "\n" IR_REGISTRY_PREFIXES;

static void write_view(ir_view_t text, FILE *out) {
    putc('"', out);
    for (const char *c = text.data; c < text.data + text.size; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7F) {
            fprintf(out, "\\u%04X", (unsigned)*c);
        } else {
            fputs(*c == '"' ? "\\\"" : *c == '\\' ? "\\\\" : (char[]){*c, '\0'}, out);
        }
    }
    putc('"', out);
}

static void write_text(const char *text, FILE *out) {
    write_view(ir_view_text(text), out);
}

/* A decimal or double of Turtle. */
static void write_number(double number, FILE *out) {
    char text[IR_NUMBER_SIZE];
    ir_number_format(number, text);
    fputs(text, out);
}

/* The name as the last segment of an IRI: keeps letters, digits, - and _; other characters become
 * -. */
static void write_segment(const char *text, FILE *out) {
    for (const char *c = text; *c != '\0'; c++) {
        const bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                           (*c >= '0' && *c <= '9') || *c == '_' || (unsigned char)*c >= 0x80;
        putc(plain ? *c : '-', out);
    }
}

static void write_property_iri(const ir_station_property_t *property, FILE *out) {
    fprintf(out, property->key[0] == '<' ? "%s" : "<property/%s>", property->key);
}

static void write_property(const ir_station_property_t *property, FILE *out) {
    putc('\n', out);
    write_property_iri(property, out);
    fputs(" a sosa:ObservableProperty", out);
    if (property->label != NULL) {
        fputs(" ;\n    rdfs:label ", out);
        write_text(property->label, out);
    }
    if (property->quantity != NULL) {
        fprintf(out, " ;\n    qudt:hasQuantityKind quantitykind:%s", property->quantity);
    }
    fputs(" .\n", out);
}

static void write_mote(const ir_station_mote_t *mote, FILE *out) {
    const char *feature = mote->feature != NULL ? mote->feature : mote->id;
    fprintf(out, "\n<mote/%s> a sosa:Platform ;\n    ir:moteId \"%s\" ;\n", mote->id, mote->id);
    if (mote->label != NULL) {
        fputs("    rdfs:label ", out);
        write_text(mote->label, out);
        fputs(" ;\n", out);
    }
    if (mote->has_place) {
        fputs("    geo:lat ", out);
        write_number(mote->latitude, out);
        fputs(" ; geo:long ", out);
        write_number(mote->longitude, out);
        fputs(" ;\n", out);
    }
    fputs("    ir:featureOfInterest <feature/", out);
    write_segment(feature, out);
    fputs("> .\n", out);
    if (mote->feature != NULL) {
        fputs("<feature/", out);
        write_segment(feature, out);
        fputs("> rdfs:label ", out);
        write_text(feature, out);
        fputs(" .\n", out);
    }
}

/* QUDT has one unit for FNU and NTU. */
static void write_unit(const ir_unit_t *unit, FILE *out) {
    fprintf(out, " ;\n    qudt:hasUnit unit:%s", unit->qudt);
    if (ir_unit_find_qudt(ir_view_text(unit->qudt)) != unit) {
        fputs(" ; ir:unitText ", out);
        write_text(unit->senml, out);
    }
}

/* Limits have a name, so that other registry files can add to them. */
static void write_sensor(const ir_station_sensor_t *sensor, FILE *out) {
    fprintf(out,
            "\n<sensor/%s> a sosa:Sensor ;\n    sosa:isHostedBy <mote/%s> ;\n"
            "    ir:senmlName \"%s\" ;\n    sosa:observes ",
            sensor->name, sensor->mote->id, sensor->name);
    write_property_iri(sensor->property, out);
    if (sensor->unit != NULL) {
        write_unit(sensor->unit, out);
    }
    if (sensor->interval_s > 0) {
        fputs(" ;\n    ir:samplingInterval ", out);
        write_number(sensor->interval_s, out);
    }
    for (size_t i = 0; i < sensor->n_missing; i++) {
        fputs(i == 0 ? " ;\n    ir:missingValue " : " , ", out);
        if (sensor->missing[i].kind == IR_VALUE_NUMBER) {
            write_number(sensor->missing[i].number, out);
        } else {
            write_view(sensor->missing[i].bytes, out);
        }
    }
    if (sensor->gross.given) {
        fprintf(out, " ;\n    ir:limits <limits/%s> .\n<limits/%s> a ir:Limits ; ir:grossFail ( ",
                sensor->name, sensor->name);
        write_number(sensor->gross.low, out);
        putc(' ', out);
        write_number(sensor->gross.high, out);
        fputs(" )", out);
    }
    fputs(" .\n", out);
}

void ir_stations_write(const ir_stations_t *stations, FILE *out) {
    fputs(head, out);
    for (const ir_station_property_t *p = stations->properties; p != NULL; p = p->next) {
        write_property(p, out);
    }
    for (const ir_station_mote_t *mote = stations->motes; mote != NULL; mote = mote->next) {
        write_mote(mote, out);
    }
    for (const ir_station_sensor_t *s = stations->sensors; s != NULL; s = s->next) {
        write_sensor(s, out);
    }
}
