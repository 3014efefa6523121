/* Units of measure: SenML (RFC 8428, RFC 8798 and their IANA registry; except dBW, Bspl, and the
 * units of energy per length and of apparent and reactive energy), UCUM and QUDT names, and
 * conversion by factor and offset. A table, read-only, any thread. */
#ifndef IR_OBSERVATION_UNIT_H
#define IR_OBSERVATION_UNIT_H

#include "common/nearest.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>

#define IR_QUDT_UNIT "http://qudt.org/vocab/unit/"
#define IR_QUDT_QUANTITY "http://qudt.org/vocab/quantitykind/"

typedef struct ir_unit {
    const char *qudt;     /* its name in http://qudt.org/vocab/unit/, such as "DEG_C" */
    const char *ucum;     /* "Cel" */
    const char *senml;    /* SenML name, or the text this project sends where SenML has none */
    const char *aliases;  /* other texts for the same unit, separated by |, or "" */
    const char *label;    /* "degree Celsius" */
    const char *quantity; /* its kind in http://qudt.org/vocab/quantitykind/; only units of the same
                           * kind convert */
    const char *apart;    /* a word that restricts conversion to units with the same word (FNU,
                           * NTU); or NULL */
    double factor;        /* base = value × factor + offset */
    double offset;
    bool secondary; /* the SenML name is a secondary one (RFC 8798): bver 26 */
} ir_unit_t;

/* By SenML name, UCUM code or alias (case matters); NULL when unknown. */
const ir_unit_t *ir_unit_find(ir_view_t text);

/* By QUDT local name; NULL when unknown. FNU and NTU share one QUDT name: the first of the table is
 * found; a registry tells them apart by ir:unit text (see registry.h). */
const ir_unit_t *ir_unit_find_qudt(ir_view_t local_name);

/* The end of a message about an unknown unit: "; did you mean …?" with the most similar unit,
 * otherwise where the units are listed. The result may be in `out`. */
const char *ir_unit_like(ir_view_t text, char out[static IR_NEAREST_TEXT_SIZE]);

/* Whether `from` converts to `to`. */
bool ir_unit_converts(const ir_unit_t *from, const ir_unit_t *to);

/* `value` in `to`; exact when both are the same unit, else rounded to 15 digits (number.h).
 * Only for pairs that convert. */
double ir_unit_convert(double value, const ir_unit_t *from, const ir_unit_t *to);

/* The table, for tests and docs. */
extern const ir_unit_t ir_units[];
extern const size_t ir_units_count;

#endif
