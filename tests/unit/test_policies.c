/* Whether RabbitMQ can drop messages, according to its management interface. Covers every limit,
 * set by argument, policy or operator policy, in both series. */
#include "worker/policies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define OURS                                                                                       \
    "{\"name\":\"ir-observations\",\"pattern\":\"^ir\\\\.observations\\\\.\",\"apply-to\":"        \
    "\"queues\",\"priority\":0,\"definition\":{\"delivery-limit\":2000000000,\"max-length\":5,"    \
    "\"overflow\":\"reject-publish\"}}"
#define POLICY(priority, apply, definition)                                                        \
    "{\"name\":\"p\",\"pattern\":\"^ir\",\"apply-to\":\"" apply "\",\"priority\":" priority        \
    ",\"definition\":{" definition "}}"
#define DLX "\"x-dead-letter-exchange\":\"ir.rejected\""

typedef struct policy_case {
    const char *name, *version, *type;
    const char *arguments, *policies, *operator_policies;
    const char *says; /* NULL: no fault */
} policy_case_t;

static const policy_case_t cases[] = {
    {"ours", "4.0.5", "quorum", DLX, OURS, "", NULL},
    {"ours on 3.x", "3.10.8", "quorum", DLX, OURS, "", NULL},
    {"no policy on 3.x", "3.13.7", "quorum", DLX, "", "", NULL},
    {"no policy on 4.x", "4.1.0", "quorum", DLX, "", "", "delivered 20 times"},
    {"classic has no limit", "4.0.5", "classic", DLX, "", "", NULL},
    {"argument", "4.0.5", "quorum", DLX ",\"x-delivery-limit\":5", OURS, "", "delivered 5 times"},
    {"argument -1 on 4.x", "4.0.5", "quorum", DLX ",\"x-delivery-limit\":-1", "", "", NULL},
    {"argument -1 on 3.x", "3.10.8", "quorum", DLX ",\"x-delivery-limit\":-1", "", "",
     "delivered 0 times"},
    {"policy -1 on 4.x", "4.0.5", "quorum", DLX, POLICY("1", "all", "\"delivery-limit\":-1"), "",
     "delivered 20 times"},
    {"another policy before ours", "4.0.5", "quorum", DLX,
     OURS "," POLICY("1", "queues", "\"max-length\":9,\"overflow\":\"reject-publish\""), "",
     "delivered 20 times"},
    {"another policy after ours", "4.0.5", "quorum", DLX,
     POLICY("-1", "queues", "\"message-ttl\":9") "," OURS, "", NULL},
    {"of exchanges", "4.0.5", "quorum", DLX, OURS "," POLICY("9", "exchanges", "\"message-ttl\":9"),
     "", NULL},
    {"of classic queues", "4.0.5", "quorum", DLX,
     OURS "," POLICY("9", "classic_queues", "\"message-ttl\":9"), "", NULL},
    {"age by policy", "3.10.8", "quorum", DLX, POLICY("1", "queues", "\"message-ttl\":9"), "",
     "after 9 ms"},
    {"age by argument", "3.10.8", "classic", DLX ",\"x-message-ttl\":8", "", "", "after 8 ms"},
    {"age by operator", "3.10.8", "quorum", DLX, OURS, POLICY("0", "queues", "\"message-ttl\":7"),
     "after 7 ms"},
    {"expiry", "3.10.8", "quorum", DLX, POLICY("1", "queues", "\"expires\":60"), "",
     "60 ms (expires)"},
    {"length without overflow", "3.10.8", "quorum", DLX, POLICY("1", "queues", "\"max-length\":9"),
     "", "drop-head"},
    {"length with overflow by argument", "3.10.8", "quorum",
     DLX ",\"x-overflow\":\"reject-publish\"", POLICY("1", "queues", "\"max-length\":9"), "", NULL},
    {"drop-head", "3.10.8", "quorum", DLX ",\"x-overflow\":\"reject-publish\"",
     POLICY("1", "queues", "\"max-length-bytes\":9,\"overflow\":\"drop-head\""), "", "drop-head"},
    {"reject and dead-letter", "3.10.8", "classic", DLX ",\"x-overflow\":\"reject-publish-dlx\"",
     "", "", "reject-publish-dlx"},
    {"no dead letters", "3.10.8", "quorum", "", "", "", "do not come to ir.rejected"},
    {"dead letters elsewhere", "3.10.8", "quorum", "",
     POLICY("1", "queues", "\"dead-letter-exchange\":\"x\""), "", "dead-letter-exchange is 'x'"},
};

static ir_status_t judge(const policy_case_t *one, const char *policies,
                         ir_policy_verdict_t *verdict, ir_buffer_t *reasons, ir_error_t *error) {
    char overview[64];
    char queues[512];
    char all[1024];
    char operators[512];
    snprintf(overview, sizeof overview, "{\"rabbitmq_version\":\"%s\"}", one->version);
    snprintf(queues, sizeof queues,
             "{\"items\":[{\"name\":\"ir.observations.0\",\"type\":\"%s\",\"arguments\":{%s}},"
             "{\"name\":\"ir.observations.1\",\"type\":\"%s\",\"arguments\":{%s}}]}",
             one->type, one->arguments, one->type, one->arguments);
    snprintf(all, sizeof all, "[%s]", policies);
    snprintf(operators, sizeof operators, "[%s]", one->operator_policies);
    const ir_policy_answers_t answers = {ir_view_text(overview), ir_view_text(queues),
                                         ir_view_text(all), ir_view_text(operators)};
    return ir_policies_judge(&answers, verdict, reasons, error);
}

static void test_faults(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const policy_case_t *one = &cases[i];
        ir_policy_verdict_t verdict = {0};
        ir_error_t error = {.status = IR_OK};
        ir_buffer_t reasons;
        ir_buffer_init(&reasons);
        if (judge(one, one->policies, &verdict, &reasons, &error) != IR_OK) {
            fail_msg("%s: %s", one->name, error.text);
        }
        ir_buffer_append_char(&reasons, '\0');
        const bool good = one->says == NULL
                              ? verdict.faults == 0
                              : verdict.faults == 1 && strstr(reasons.data, one->says) != NULL &&
                                    strstr(reasons.data, "and 1 more") != NULL;
        if (!good || verdict.queues != 2) {
            fail_msg("%s: %u faults: %s", one->name, verdict.faults, reasons.data);
        }
        ir_buffer_free(&reasons);
    }
}

/* A value that cannot be understood does not count as safe. */
static void test_not_known(void **state) {
    (void)state;
    static const char *const policies[] = {
        "{\"name\":\"p\",\"pattern\":\"^ir\\\\.\\\\d\",\"apply-to\":\"queues\",\"priority\":1,"
        "\"definition\":{}}",
        "{\"name\":\"p\",\"pattern\":\"(?i)ir\",\"apply-to\":\"queues\",\"priority\":1,"
        "\"definition\":{}}",
        "{\"name\":\"p\",\"pattern\":\"[\",\"apply-to\":\"queues\",\"priority\":1,\"definition\":{}"
        "}",
    };
    static const char *const texts[] = {
        "",     "[]",  "{}", "<html>", "{\"items\":[{}]}", "{\"items\":[{\"name\":\"a\"}]}",
        "[[[[", "null"};
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        ir_policy_verdict_t verdict;
        ir_error_t error;
        ir_buffer_t reasons;
        ir_buffer_init(&reasons);
        assert_int_equal(judge(&cases[0], policies[i], &verdict, &reasons, &error), IR_ERR_RANGE);
        ir_buffer_free(&reasons);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ir_policy_verdict_t verdict;
        ir_error_t error = {.status = IR_OK};
        ir_buffer_t reasons;
        ir_buffer_init(&reasons);
        const ir_policy_answers_t answers = {ir_view_text("{\"rabbitmq_version\":\"4.0.5\"}"),
                                             ir_view_text(texts[i]), ir_view_text("[]"),
                                             ir_view_text("[]")};
        assert_int_equal(ir_policies_judge(&answers, &verdict, &reasons, &error), IR_ERR_PROTOCOL);
        assert_true(error.text[0] != '\0');
        ir_buffer_free(&reasons);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_not_known),
    };
    return cmocka_run_group_tests_name("policies", tests, NULL, NULL);
}
