#include "loadgen/source/river_registry.h"

#include "common/clock.h"
#include "loadgen/source/river.h"
#include "loadgen/source/simulation.h"
#include "observation/registry/prefixes.h"

#define RIVERS_ABREAST 250

static const char head[] =
    "# Simulated motes along rivers. Written by ir-loadgen --write-registry.\n"
    "\n" IR_REGISTRY_PREFIXES;

/* Limits for gross range, spike and rate of change, in the unit of the property; flat line in
 * hours. */
typedef struct ir_river_limits {
    const char *name; /* added to the property's name in the name of the limits; "" if the property
                       * has one set of limits */
    const char *gross_fail, *gross_suspect;
    const char *spike_method;
    double spike_suspect, spike_fail;
    double rate; /* per second */
    double flat_tolerance;
    unsigned flat_suspect_h, flat_fail_h;
} ir_river_limits_t;

typedef struct ir_river_property {
    const char *key, *label, *kind, *unit;
    const ir_river_limits_t *limits; /* one for each reach, if there are several */
    unsigned n_limits;
} ir_river_property_t;

#define ONE(...) (const ir_river_limits_t[]){__VA_ARGS__}, 1

/* Conditions differ strongly between the reaches. */
static const ir_river_limits_t discharge_limits[] = {
    [IR_RIVER_CREEK] = {"-creek", "0 30000", "0.5 10000", "average", 20, 400, 0.04, 0.001, 24, 72},
    [IR_RIVER_STREAM] = {"-stream", "0 300000", "20 80000", "average", 200, 4000, 0.3, 0.01, 24,
                         72},
    [IR_RIVER_TIDAL] = {"-tidal", "-200000 500000", "-50000 150000", "average", 1500, 20000, 2, 0.1,
                        12, 24},
};

static const ir_river_property_t properties[IR_RIVER_QUANTITIES] = {
    [IR_RIVER_TEMPERATURE] = {"water-temperature", "water temperature", "Temperature",
                              "qudt:hasUnit unit:DEG_C",
                              ONE({"", "-2 45", "0 35", "average", 2, 5, 0.001, 0.05, 12, 24})},
    [IR_RIVER_DISCHARGE] = {"discharge", "discharge", "VolumeFlowRate",
                            "qudt:hasUnit unit:FT3-PER-SEC", discharge_limits, 3},
    [IR_RIVER_STAGE] = {"gage-height", "gage height", "Length", "qudt:hasUnit unit:FT",
                        ONE({"", "-10 60", "-2 30", "average", 0.3, 2, 0.0006, 0.005, 24, 72})},
    [IR_RIVER_CONDUCTANCE] = {"specific-conductance", "specific conductance at 25 °C",
                              "ElectrolyticConductivity", "qudt:hasUnit unit:MicroS-PER-CentiM",
                              ONE({"", "0 10000", "20 2000", "average", 20, 400, 0.01, 0.5, 12,
                                   24})},
    [IR_RIVER_OXYGEN] = {"dissolved-oxygen", "dissolved oxygen", "MassConcentration",
                         "qudt:hasUnit unit:MilliGM-PER-L",
                         ONE({"", "0 25", "3 18", "average", 2, 5, 0.001, 0.05, 12, 24})},
    [IR_RIVER_PH] = {"ph", "pH", "Acidity", "qudt:hasUnit unit:PH",
                     ONE({"", "2 12", "6 9", "average", 0.5, 2, 0.0005, 0.05, 24, 72})},
    [IR_RIVER_TURBIDITY] = {"turbidity", "turbidity", "Turbidity",
                            "qudt:hasUnit unit:NTU ; ir:unitText \"FNU\"",
                            ONE({"", "0 3000", "0 100", "differential", 10, 300, 0.015, 0.05, 12,
                                 24})},
};

static void write_limits(const ir_river_property_t *property, const ir_river_limits_t *limits,
                         FILE *out) {
    fprintf(out,
            "\n<limits/sim-%s%s> a ir:Limits ;\n"
            "    %s ;\n"
            "    ir:grossFail ( %s ) ; ir:grossSuspect ( %s ) ;\n"
            "    ir:spikeMethod \"%s\" ; ir:spikeSuspect %g ; ir:spikeFail %g ;\n"
            "    ir:rateOfChange %g ;\n"
            "    ir:flatLineTolerance %g ; ir:flatLineSuspect %u ; ir:flatLineFail %u .\n",
            property->key, limits->name, property->unit, limits->gross_fail, limits->gross_suspect,
            limits->spike_method, limits->spike_suspect, limits->spike_fail, limits->rate,
            limits->flat_tolerance, limits->flat_suspect_h * 3600, limits->flat_fail_h * 3600);
}

static void write_property(const ir_river_property_t *property, FILE *out) {
    fprintf(out,
            "\n<property/%s> a sosa:ObservableProperty ;\n"
            "    rdfs:label \"%s\"@en ;\n"
            "    qudt:hasQuantityKind quantitykind:%s ;\n"
            "    %s .\n",
            property->key, property->label, property->kind, property->unit);
    for (unsigned i = 0; i < property->n_limits; i++) {
        write_limits(property, &property->limits[i], out);
    }
}

/* Rivers run side by side, from north-west to south-east. */
static void write_mote(unsigned mote, int64_t interval_ns, FILE *out) {
    char name[IR_SIMULATION_MOTE_SIZE];
    const unsigned river = mote / IR_RIVER_MOTES;
    const unsigned position = mote % IR_RIVER_MOTES;
    const unsigned row = river % RIVERS_ABREAST;
    const unsigned column = river / RIVERS_ABREAST;
    ir_simulation_mote(mote, name);
    fprintf(out,
            "\n<mote/%s> a sosa:Platform ; ir:moteId \"%s\" ;\n"
            "    geo:lat %.4f ; geo:long %.4f ;\n"
            "    ir:featureOfInterest <river/%u> ; ir:samplingInterval %lld .\n",
            name, name, 34.5 - 0.15 * position - 0.004 * row, -84 + 0.1 * position + 0.01 * column,
            river, (long long)(interval_ns / IR_SECOND_NS));
}

/* The limits belong to the sensors and have names of their own. Other registry files may describe
 * the same properties, and their sensors must not get these limits. */
static void write_sensor(unsigned mote, unsigned quantity, FILE *out) {
    char name[IR_SIMULATION_MOTE_SIZE];
    const char *code = ir_river_quantities[quantity].code;
    const ir_river_property_t *property = &properties[quantity];
    ir_simulation_mote(mote, name);
    fprintf(out,
            "<sensor/%s/%s> a sosa:Sensor ; sosa:isHostedBy <mote/%s> ; ir:senmlName \"%s/%s\" ; "
            "sosa:observes <property/%s> ; ir:limits <limits/sim-%s%s> .\n",
            name, code, name, name, code, property->key, property->key,
            property->limits[property->n_limits > 1 ? ir_river_reach(mote) : 0].name);
}

void ir_river_registry_write(unsigned motes, int64_t interval_ns, FILE *out) {
    fputs(head, out);
    for (unsigned i = 0; i < IR_RIVER_QUANTITIES; i++) {
        write_property(&properties[i], out);
    }
    for (unsigned mote = 0; mote < motes && !ferror(out); mote++) {
        write_mote(mote, interval_ns, out);
        for (unsigned i = 0; i < IR_RIVER_QUANTITIES; i++) {
            write_sensor(mote, i, out);
        }
    }
}
