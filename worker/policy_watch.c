#include "worker/policy_watch.h"

#include "broker/connection.h"
#include "broker/topology.h"
#include "common/log.h"
#include "common/messages.h"
#include "common/thread.h"
#include "http/client.h"
#include "worker/management.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIMEOUT_NS (5 * IR_SECOND_NS)
#define ANSWER_MAX ((size_t)1024 * 1024) /* 257 queues have about 100 KB */
#define OUR_QUEUES "^ir%5C.(observations%5C.%5B0-9%5D%2B%7Crejected)%24"

/* ---- asking ---- */

typedef struct asking {
    ir_http_client_t *http;
    const ir_management_place_t *place;
    char host[4 * IR_BROKER_USER_SIZE]; /* the virtual host, escaped */
    ir_error_t *error;
} asking_t;

static ir_status_t take_bytes(void *context, ir_view_t bytes) {
    ir_buffer_t *out = context;
    if (out->size + bytes.size > ANSWER_MAX) {
        return IR_ERR_RANGE;
    }
    ir_buffer_append_view(out, bytes);
    return ir_buffer_ok(out) ? IR_OK : IR_ERR_MEMORY;
}

static ir_status_t judge_code(const asking_t *asking, int code) {
    if (code / 100 == 2) {
        return IR_OK;
    }
    if (code == 401 || code == 403) {
        return ir_error_set(
            asking->error, IR_ERR_AUTH,
            "%s refuses the user %s (%d); it needs the tag monitoring, a permission "
            "on the virtual host (^$ is enough), and the password in "
            "IR_MANAGEMENT_PASSWORD",
            asking->place->base, asking->place->user, code);
    }
    return ir_error_set(
        asking->error, code == 404 ? IR_ERR_NOT_FOUND : IR_ERR_PROTOCOL,
        "%s answers %d: is it RabbitMQ's management interface, and does the virtual host exist?",
        asking->place->base, code);
}

static ir_status_t get(const asking_t *asking, const char *path, ir_buffer_t *answer) {
    char url[2 * IR_MANAGEMENT_URI_SIZE + sizeof asking->host];
    snprintf(url, sizeof url, "%s/api/%s", asking->place->base, path);
    const ir_http_request_t request = {.method = "GET",
                                       .url = url,
                                       .accept = "application/json",
                                       .take = take_bytes,
                                       .context = answer};
    int code = 0;
    ir_error_t why = {.status = IR_OK};
    const ir_status_t status = ir_http_client_call(asking->http, &request, &code, &why);
    if (status == IR_ERR_RANGE || status == IR_ERR_MEMORY) {
        return ir_error_set(asking->error, status, "%s: the answer is larger than %zu KiB",
                            asking->place->base, ANSWER_MAX / 1024);
    }
    return status == IR_OK ? judge_code(asking, code)
                           : ir_error_set(asking->error, status, "%s", why.text);
}

static ir_status_t get_of_host(const asking_t *asking, const char *what, const char *more,
                               ir_buffer_t *answer) {
    char path[IR_MANAGEMENT_URI_SIZE + sizeof asking->host];
    snprintf(path, sizeof path, "%s/%s%s", what, asking->host, more);
    return get(asking, path, answer);
}

static ir_status_t ask_all(const asking_t *asking, ir_policy_verdict_t *verdict,
                           ir_buffer_t *reasons) {
    enum { OVERVIEW, QUEUES, POLICIES, OPERATOR_POLICIES, COUNT };
    ir_buffer_t answers[COUNT];
    for (int i = 0; i < COUNT; i++) {
        ir_buffer_init(&answers[i]);
    }
    ir_status_t status = get(asking, "overview?columns=rabbitmq_version", &answers[OVERVIEW]);
    if (status == IR_OK) {
        status = get_of_host(asking, "queues",
                             "?page=1&page_size=500&use_regex=true&name=" OUR_QUEUES
                             "&columns=name,type,arguments,policy,effective_policy_definition",
                             &answers[QUEUES]);
    }
    if (status == IR_OK) {
        status = get_of_host(asking, "policies", "", &answers[POLICIES]);
    }
    if (status == IR_OK) {
        status = get_of_host(asking, "operator-policies", "", &answers[OPERATOR_POLICIES]);
    }
    if (status == IR_OK) {
        const ir_policy_answers_t all = {
            ir_buffer_view(&answers[OVERVIEW]), ir_buffer_view(&answers[QUEUES]),
            ir_buffer_view(&answers[POLICIES]), ir_buffer_view(&answers[OPERATOR_POLICIES])};
        status = ir_policies_judge(&all, verdict, reasons, asking->error);
    }
    for (int i = 0; i < COUNT; i++) {
        ir_buffer_free(&answers[i]);
    }
    return status;
}

static void escape_host(const char *host, char out[static 4 * IR_BROKER_USER_SIZE]) {
    size_t size = 0;
    for (const char *c = host; *c != '\0'; c++) {
        if (isalnum((unsigned char)*c) || strchr("-._~", *c) != NULL) {
            out[size++] = *c;
        } else {
            size += (size_t)snprintf(out + size, 4, "%%%02X", (unsigned char)*c);
        }
    }
    out[size] = '\0';
}

static ir_status_t ask_place(const ir_worker_options_t *options, const char *uri,
                             ir_policy_verdict_t *verdict, ir_buffer_t *reasons,
                             ir_error_t *error) {
    ir_management_place_t place;
    char host[IR_BROKER_USER_SIZE];
    ir_broker_options_t broker;
    ir_worker_broker_options(options, &broker);
    ir_status_t status = ir_management_parse(uri, &place, error);
    if (status == IR_OK) {
        status = ir_broker_host(&broker, host, error);
    }
    if (status != IR_OK) {
        return status;
    }
    const char *password = ir_setting_text(options->management_password);
    asking_t asking = {.place = &place, .error = error};
    escape_host(host, asking.host);
    const ir_http_login_t login = {.user = place.user,
                                   .password = password != NULL ? password : "guest",
                                   .ca_file = broker.ca_file};
    asking.http = ir_http_client_new(&login, TIMEOUT_NS);
    status = asking.http != NULL ? ask_all(&asking, verdict, reasons)
                                 : ir_error_set(error, IR_ERR_MEMORY, "policies: out of memory");
    ir_http_client_free(asking.http);
    return status;
}

ir_status_t ir_policies_ask(const ir_worker_options_t *options, ir_policy_verdict_t *verdict,
                            ir_buffer_t *reasons, ir_error_t *error) {
    const char *uris = options->management;
    char uri[IR_MANAGEMENT_URI_SIZE];
    ir_status_t status = ir_error_set(error, IR_ERR_USAGE, "management: no address is set");
    while (status != IR_OK && ir_management_next(&uris, uri)) {
        ir_buffer_clear(reasons);
        status = ask_place(options, uri, verdict, reasons, error);
    }
    return status;
}

/* ---- the thread ---- */

struct ir_policy_watch {
    const ir_worker_options_t *options;
    pthread_t thread;
    pthread_mutex_t lock; /* protects the fields below */
    pthread_cond_t changed;
    bool stopping;
    bool asked, known;
    ir_buffer_t reasons; /* empty: nothing can be dropped, as far as is known */
};

static void log_news(const ir_policy_watch_t *watch, ir_status_t status, const ir_buffer_t *reasons,
                     const ir_error_t *error) {
    if (status != IR_OK) {
        if (watch->known || !watch->asked) {
            ir_log(IR_LOG_WARN, IR_TEXT_POLICIES_UNKNOWN, error->text);
        }
        return;
    }
    if (watch->known && ir_view_equal(ir_buffer_view(reasons), ir_buffer_view(&watch->reasons))) {
        return;
    }
    for (ir_view_t rest = ir_buffer_view(reasons); rest.size > 0;) {
        const char *stop = memchr(rest.data, '\n', rest.size);
        const size_t size = stop != NULL ? (size_t)(stop - rest.data) : rest.size;
        ir_log(IR_LOG_ERROR, IR_TEXT_CAN_DROP, (int)size, rest.data);
        rest = ir_view(rest.data + size + (stop != NULL), rest.size - size - (stop != NULL));
    }
    if (reasons->size == 0 && watch->reasons.size > 0) {
        ir_log(IR_LOG_INFO, "the broker can no more drop messages");
    }
}

/* If the query fails, the last answer stays valid. */
static void ask(ir_policy_watch_t *watch) {
    ir_buffer_t reasons;
    ir_buffer_init(&reasons);
    ir_policy_verdict_t verdict = {0};
    ir_error_t error = {.status = IR_OK};
    const ir_status_t status = ir_policies_ask(watch->options, &verdict, &reasons, &error);
    pthread_mutex_lock(&watch->lock);
    log_news(watch, status, &reasons, &error);
    watch->asked = true;
    watch->known = status == IR_OK;
    if (status == IR_OK) {
        ir_buffer_clear(&watch->reasons);
        ir_buffer_append_view(&watch->reasons, ir_buffer_view(&reasons));
    }
    pthread_mutex_unlock(&watch->lock);
    ir_buffer_free(&reasons);
}

static bool wait_for_next(ir_policy_watch_t *watch) {
    const int64_t until = ir_clock_monotonic() + watch->options->management_interval_ns;
    const struct timespec deadline = {.tv_sec = until / IR_SECOND_NS,
                                      .tv_nsec = until % IR_SECOND_NS};
    int waited = 0;
    pthread_mutex_lock(&watch->lock);
    while (!watch->stopping && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&watch->changed, &watch->lock, &deadline);
    }
    const bool go_on = !watch->stopping;
    pthread_mutex_unlock(&watch->lock);
    return go_on;
}

static void *run(void *argument) {
    ir_policy_watch_t *watch = argument;
    do {
        ask(watch);
    } while (wait_for_next(watch));
    return NULL;
}

ir_status_t ir_policy_watch_start(const ir_worker_options_t *options, ir_policy_watch_t **watch,
                                  ir_error_t *error) {
    if (ir_setting_text(options->management) == NULL) {
        return IR_OK;
    }
    ir_policy_watch_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "policies: out of memory");
    }
    made->options = options;
    ir_buffer_init(&made->reasons);
    ir_thread_init_condition(&made->lock, &made->changed);
    const int failed = ir_thread_start(&made->thread, run, made);
    if (failed != 0) {
        free(made);
        return ir_error_set(error, IR_ERR_MEMORY, "policies: cannot start a thread: %s",
                            strerror(failed));
    }
    *watch = made;
    return IR_OK;
}

void ir_policy_watch_stop(ir_policy_watch_t *watch) {
    if (watch == NULL) {
        return;
    }
    pthread_mutex_lock(&watch->lock);
    watch->stopping = true;
    pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    pthread_mutex_destroy(&watch->lock);
    pthread_cond_destroy(&watch->changed);
    ir_buffer_free(&watch->reasons);
    free(watch);
}

bool ir_policy_watch_ready(ir_policy_watch_t *watch, ir_buffer_t *reasons) {
    if (watch == NULL) {
        return true;
    }
    pthread_mutex_lock(&watch->lock);
    const bool ready = watch->asked && watch->reasons.size == 0;
    if (!watch->asked) {
        ir_buffer_append_text(reasons, "policies: not asked for yet\n");
    }
    ir_buffer_append_view(reasons, ir_buffer_view(&watch->reasons));
    pthread_mutex_unlock(&watch->lock);
    return ready;
}

bool ir_policy_watch_known(ir_policy_watch_t *watch) {
    if (watch == NULL) {
        return false;
    }
    pthread_mutex_lock(&watch->lock);
    const bool known = watch->known;
    pthread_mutex_unlock(&watch->lock);
    return known;
}
