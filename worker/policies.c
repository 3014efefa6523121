#include "worker/policies.h"

#include "broker/topology.h"

#include <inttypes.h>
#include <jansson.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULTS_MAX 16
#define TEXT_SIZE 200
#define DEFAULT_LIMIT 20 /* the default delivery limit of quorum queues since RabbitMQ 4.0 */

typedef struct fault {
    char text[TEXT_SIZE];
    char queue[64]; /* the first queue with this fault */
    unsigned count;
} fault_t;

typedef struct judge {
    int series; /* 3, 4: RabbitMQ's major version */
    json_t *policies, *operator_policies;
    fault_t faults[FAULTS_MAX];
    size_t n_faults;
    ir_error_t *error;
} judge_t;

/* A queue, and the argument and policies that apply to it. */
typedef struct subject {
    const char *name;
    bool quorum, partition;
    const json_t *arguments, *policy, *operator_policy; /* definitions, or NULL */
    const char *policy_name;
} subject_t;

/* ---- what applies ---- */

static bool applies(const char *to, bool quorum) {
    return strcmp(to, "all") == 0 || strcmp(to, "queues") == 0 ||
           strcmp(to, quorum ? "quorum_queues" : "classic_queues") == 0;
}

/* Patterns in RabbitMQ are Perl's. Those that POSIX reads differently are rare here, and give an
 * error instead of a guess. */
static ir_status_t matches(const char *pattern, const char *name, bool *match, ir_error_t *error) {
    regex_t compiled;
    if (strstr(pattern, "(?") != NULL || strstr(pattern, "\\d") != NULL ||
        strstr(pattern, "\\w") != NULL ||
        regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        return ir_error_set(error, IR_ERR_RANGE,
                            "a policy has the pattern '%s', which cannot be judged here", pattern);
    }
    *match = regexec(&compiled, name, 0, NULL, 0) == 0;
    regfree(&compiled);
    return IR_OK;
}

/* Finds the matching policy with the highest priority. `wanted`: the policy that RabbitMQ reports
 * for the queue, or NULL. */
static ir_status_t find_policy(const json_t *policies, const char *wanted, const char *queue,
                               bool quorum, const json_t **found, ir_error_t *error) {
    json_int_t best = 0;
    size_t i = 0;
    json_t *policy = NULL;
    *found = NULL;
    json_array_foreach(policies, i, policy) {
        const char *name = json_string_value(json_object_get(policy, "name"));
        const char *pattern = json_string_value(json_object_get(policy, "pattern"));
        const char *to = json_string_value(json_object_get(policy, "apply-to"));
        const json_int_t priority = json_integer_value(json_object_get(policy, "priority"));
        bool match = false;
        if (wanted != NULL && name != NULL && strcmp(name, wanted) == 0) {
            *found = policy;
            return IR_OK;
        }
        if (pattern == NULL || to == NULL || !applies(to, quorum)) {
            continue;
        }
        const ir_status_t status = matches(pattern, queue, &match, error);
        if (status != IR_OK) {
            return status;
        }
        if (match && (*found == NULL || priority > best)) {
            *found = policy;
            best = priority;
        }
    }
    return IR_OK;
}

/* ---- faults ---- */

static void add_fault(judge_t *judge, const subject_t *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add_fault(judge_t *judge, const subject_t *subject, const char *format, ...) {
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < judge->n_faults; i++) {
        if (strcmp(judge->faults[i].text, text) == 0) {
            judge->faults[i].count++;
            return;
        }
    }
    if (judge->n_faults == FAULTS_MAX) {
        return;
    }
    fault_t *fault = &judge->faults[judge->n_faults++];
    fault->count = 1;
    snprintf(fault->text, sizeof fault->text, "%s", text);
    snprintf(fault->queue, sizeof fault->queue, "%s", subject->name);
}

/* Returns the value from the operator policy, the policy or the argument, whichever is the first
 * that sets it. */
static const json_t *value_of(const subject_t *subject, const char *key) {
    char argument[64];
    const json_t *value = json_object_get(subject->operator_policy, key);
    if (value == NULL) {
        value = json_object_get(subject->policy, key);
    }
    snprintf(argument, sizeof argument, "x-%s", key);
    return value != NULL ? value : json_object_get(subject->arguments, argument);
}

static void add_limit_fault(judge_t *judge, const subject_t *subject, json_int_t limit) {
    add_fault(judge, subject,
              "a message that was delivered %" JSON_INTEGER_FORMAT
              " times is dropped (delivery limit); let the policy %s say \"delivery-limit\": "
              "2000000000",
              limit, subject->policy_name != NULL ? subject->policy_name : "ir-observations");
}

/* RabbitMQ uses the smallest limit of argument and policies. A negative limit means different
 * things: in RabbitMQ 4, no limit if it is an argument, and the default if it is in a policy; in
 * RabbitMQ 3, messages are dropped at once. */
static void judge_deliveries(judge_t *judge, const subject_t *subject) {
    const json_t *const values[] = {json_object_get(subject->arguments, "x-delivery-limit"),
                                    json_object_get(subject->policy, "delivery-limit"),
                                    json_object_get(subject->operator_policy, "delivery-limit")};
    bool said = false;
    if (!subject->quorum) {
        return;
    }
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (!json_is_integer(values[i])) {
            continue;
        }
        json_int_t limit = json_integer_value(values[i]);
        if (limit < 0 && judge->series >= 4 && i == 0) {
            said = true;
            continue;
        }
        said = true;
        if (limit < IR_DELIVERY_LIMIT_LEAST) {
            limit = limit >= 0 ? limit : judge->series >= 4 ? DEFAULT_LIMIT : 0;
            add_limit_fault(judge, subject, limit);
            return;
        }
    }
    if (!said && judge->series >= 4) {
        add_limit_fault(judge, subject, DEFAULT_LIMIT);
    }
}

static void judge_age(judge_t *judge, const subject_t *subject) {
    const json_t *ttl = value_of(subject, "message-ttl");
    const json_t *expires = value_of(subject, "expires");
    if (ttl != NULL && !json_is_null(ttl)) {
        add_fault(judge, subject,
                  "messages are dropped after %" JSON_INTEGER_FORMAT
                  " ms (message-ttl); take that out of the policy or the queue's arguments",
                  json_integer_value(ttl));
    }
    if (expires != NULL && !json_is_null(expires)) {
        add_fault(judge, subject,
                  "the queue is deleted with its messages when nobody has used it for "
                  "%" JSON_INTEGER_FORMAT
                  " ms (expires); take that out of the policy or the queue's arguments",
                  json_integer_value(expires));
    }
}

static void judge_length(judge_t *judge, const subject_t *subject) {
    const char *overflow = json_string_value(value_of(subject, "overflow"));
    const bool bounded =
        value_of(subject, "max-length") != NULL || value_of(subject, "max-length-bytes") != NULL;
    if (overflow != NULL ? strcmp(overflow, "drop-head") == 0 : bounded) {
        add_fault(judge, subject,
                  "the oldest messages are dropped when it is full (overflow drop-head); let the "
                  "policy say \"overflow\": \"reject-publish\"");
    } else if (overflow != NULL && strcmp(overflow, "reject-publish-dlx") == 0) {
        add_fault(judge, subject,
                  "messages refused because it is full are also dead-lettered (overflow "
                  "reject-publish-dlx); let the policy say \"overflow\": \"reject-publish\"");
    }
}

/* A worker rejects messages that are too large without reading them; these must reach ir.rejected.
 * For the dead-letter exchange, the queue's argument takes precedence over a policy. */
static void judge_dead_letters(judge_t *judge, const subject_t *subject) {
    const json_t *exchange = json_object_get(subject->arguments, "x-dead-letter-exchange");
    if (!subject->partition) {
        return;
    }
    if (exchange == NULL) {
        exchange = json_object_get(subject->policy, "dead-letter-exchange");
    }
    const char *name = json_string_value(exchange);
    if (name == NULL || strcmp(name, IR_EXCHANGE_REJECTED) != 0) {
        add_fault(judge, subject,
                  "messages larger than message-bytes do not come to " IR_EXCHANGE_REJECTED
                  " (dead-letter-exchange is '%s'); let it be " IR_EXCHANGE_REJECTED,
                  name != NULL ? name : "");
    }
}

static const json_t *object_or_null(const json_t *value) {
    return json_is_object(value) ? value : NULL;
}

static ir_status_t judge_queue(judge_t *judge, const json_t *queue) {
    subject_t subject = {.name = json_string_value(json_object_get(queue, "name")),
                         .arguments = json_object_get(queue, "arguments")};
    const char *type = json_string_value(json_object_get(queue, "type"));
    const char *wanted = json_string_value(json_object_get(queue, "policy"));
    const json_t *policy = NULL;
    const json_t *operator_policy = NULL;
    if (subject.name == NULL || type == NULL) {
        return ir_error_set(judge->error, IR_ERR_PROTOCOL,
                            "the management interface lists queues without name or type");
    }
    subject.quorum = strcmp(type, "quorum") == 0;
    subject.partition = strcmp(subject.name, IR_QUEUE_REJECTED) != 0;
    ir_status_t status =
        find_policy(judge->policies, wanted, subject.name, subject.quorum, &policy, judge->error);
    if (status == IR_OK) {
        status = find_policy(judge->operator_policies, NULL, subject.name, subject.quorum,
                             &operator_policy, judge->error);
    }
    if (status != IR_OK) {
        return status;
    }
    subject.policy_name = json_string_value(json_object_get(policy, "name"));
    subject.operator_policy = object_or_null(json_object_get(operator_policy, "definition"));
    subject.policy = object_or_null(json_object_get(queue, "effective_policy_definition"));
    if (subject.policy == NULL) {
        subject.policy = object_or_null(json_object_get(policy, "definition"));
    }
    judge_deliveries(judge, &subject);
    judge_age(judge, &subject);
    judge_length(judge, &subject);
    judge_dead_letters(judge, &subject);
    return IR_OK;
}

/* ---- the answers ---- */

static json_t *load(ir_view_t text, ir_error_t *error) {
    json_error_t why;
    json_t *loaded = json_loadb(text.data, text.size, 0, &why);
    if (loaded == NULL) {
        ir_error_set(error, IR_ERR_PROTOCOL, "the management interface's answer is no JSON: %s",
                     why.text);
    }
    return loaded;
}

static void append_faults(const judge_t *judge, ir_buffer_t *reasons) {
    for (size_t i = 0; i < judge->n_faults; i++) {
        const fault_t *fault = &judge->faults[i];
        ir_buffer_append_format(reasons, "queue %s", fault->queue);
        if (fault->count > 1) {
            ir_buffer_append_format(reasons, " and %u more", fault->count - 1);
        }
        ir_buffer_append_format(reasons, ": %s\n", fault->text);
    }
}

static ir_status_t judge_all(judge_t *judge, const json_t *overview, const json_t *queues,
                             ir_policy_verdict_t *verdict) {
    const char *version = json_string_value(json_object_get(overview, "rabbitmq_version"));
    const json_t *items = json_object_get(queues, "items");
    size_t i = 0;
    json_t *queue = NULL;
    if (version == NULL || !json_is_array(items) || !json_is_array(judge->policies) ||
        !json_is_array(judge->operator_policies)) {
        return ir_error_set(judge->error, IR_ERR_PROTOCOL,
                            "the answer is not from RabbitMQ's management interface");
    }
    judge->series = (int)strtol(version, NULL, 10);
    json_array_foreach(items, i, queue) {
        const ir_status_t status = judge_queue(judge, queue);
        if (status != IR_OK) {
            return status;
        }
    }
    *verdict = (ir_policy_verdict_t){.queues = (unsigned)json_array_size(items),
                                     .faults = (unsigned)judge->n_faults};
    return IR_OK;
}

ir_status_t ir_policies_judge(const ir_policy_answers_t *answers, ir_policy_verdict_t *verdict,
                              ir_buffer_t *reasons, ir_error_t *error) {
    judge_t *judge = calloc(1, sizeof *judge);
    if (judge == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "policies: out of memory");
    }
    ir_error_t why = {.status = IR_ERR_PROTOCOL};
    judge->error = &why;
    json_t *overview = load(answers->overview, &why);
    json_t *queues = load(answers->queues, &why);
    judge->policies = load(answers->policies, &why);
    judge->operator_policies = load(answers->operator_policies, &why);
    ir_status_t status = IR_ERR_PROTOCOL;
    if (overview != NULL && queues != NULL && judge->policies != NULL &&
        judge->operator_policies != NULL) {
        status = judge_all(judge, overview, queues, verdict);
    }
    if (status == IR_OK) {
        append_faults(judge, reasons);
    } else {
        ir_error_set(error, status, "%s", why.text);
    }
    json_decref(overview);
    json_decref(queues);
    json_decref(judge->policies);
    json_decref(judge->operator_policies);
    free(judge);
    return status;
}
