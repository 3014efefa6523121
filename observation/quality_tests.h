/* The quality tests (QARTOD, US IOOS) and their flags. All names of a test come from its row:
 * documents, columns, RDF, reasons, explanations. The order is that of every output. */
#ifndef IR_OBSERVATION_QUALITY_TESTS_H
#define IR_OBSERVATION_QUALITY_TESTS_H

#include "common/view.h"

/* clang-format off */

/* X(symbol, key, words, flag): the key names the test in documents, in CSV and in SQLite's columns;
 * the words in reasons and explanations; `flag` is the RDF property of its flag
 * (observation/ontology.ttl). SQLite's schema has another version with each row. */
#define IR_QUALITY_TESTS(X)                                                    \
    X(GROSS_RANGE,    "gross_range",    "gross range",    "grossRangeFlag")    \
    X(CLIMATOLOGY,    "climatology",    "climatology",    "climatologyFlag")   \
    X(SPIKE,          "spike",          "spike",          "spikeFlag")         \
    X(RATE_OF_CHANGE, "rate_of_change", "rate of change", "rateOfChangeFlag")  \
    X(FLAT_LINE,      "flat_line",      "flat line",      "flatLineFlag")

/* X(symbol, member, property, test, what): the limits in a registry that are one number, not
 * negative. `property` is its RDF property, `member` and `has_MEMBER` hold it in ir_limits_t, `test`
 * is the test that uses it, `what` says in an error what it must be. */
#define IR_LIMIT_NUMBERS(X)                                                    \
    X(SPIKE_SUSPECT, spike_suspect, "spikeSuspect", SPIKE,                     \
      "a number in the sensor's unit that is not negative")                    \
    X(SPIKE_FAIL, spike_fail, "spikeFail", SPIKE,                              \
      "a number in the sensor's unit that is not negative")                    \
    X(RATE, rate, "rateOfChange", RATE_OF_CHANGE,                              \
      "a number in the sensor's unit per second that is not negative")

/* clang-format on */

typedef enum ir_test {
#define IR_TEST_SYMBOL(symbol, key, words, flag) IR_TEST_##symbol,
    IR_QUALITY_TESTS(IR_TEST_SYMBOL)
#undef IR_TEST_SYMBOL
        IR_TEST_COUNT
} ir_test_t;

typedef enum ir_flag {
    IR_FLAG_GOOD = 1,
    IR_FLAG_NOT_EVALUATED = 2,
    IR_FLAG_SUSPECT = 3,
    IR_FLAG_FAIL = 4,
    IR_FLAG_MISSING = 9
} ir_flag_t;

/* The key of a test, such as "gross_range". */
const char *ir_test_text(ir_test_t test);

/* The test in words, such as "gross range". */
const char *ir_test_words(ir_test_t test);

/* Finds the test with that key; IR_TEST_COUNT if there is none. */
ir_test_t ir_test_find(ir_view_t key);

/* "good", "not_evaluated", "suspect", "fail", "missing". */
const char *ir_flag_text(int flag);

/* Finds the flag with that text; 0 if there is none. `IR_FLAG_NAMES` lists them, for a message. */
#define IR_FLAG_NAMES "good, not_evaluated, suspect, fail, missing"
int ir_flag_find(ir_view_t text);

#endif
