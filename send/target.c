#include "send/target.h"

#include "common/settings.h"
#include "send/sender.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#define DEFAULT_PATH "/v1/observations"
#define MQTT_PORT 1883
#define MQTTS_PORT 8883
#define LABEL_SIZE 512

typedef ir_status_t (*ir_target_fill_fn)(ir_target_t *target, ir_error_t *error);

static ir_status_t wrong(const ir_target_t *target, const char *what, ir_error_t *error) {
    return ir_error_set(error, IR_ERR_USAGE, "target %s: %s", target->label, what);
}

static ir_status_t fill_null(ir_target_t *target, ir_error_t *error) {
    return strcmp(target->uri, "null:") == 0 ? IR_OK : wrong(target, "must be null:", error);
}

static ir_status_t fill_amqp(ir_target_t *target, ir_error_t *error) {
    ir_error_t cause;
    target->broker.uri = target->uri;
    return ir_broker_check(&target->broker, &cause) == IR_OK ? IR_OK
                                                             : wrong(target, cause.text, error);
}

/* Copies a part of the address; NULL if it is absent. */
static char *part_of(CURLU *url, CURLUPart part) {
    char *text = NULL;
    if (curl_url_get(url, part, &text, CURLU_URLDECODE) != CURLUE_OK) {
        return NULL;
    }
    char *copy = strdup(text);
    curl_free(text);
    return copy;
}

/* An IPv6 address without its brackets. */
static char *host_of(CURLU *url) {
    char *host = part_of(url, CURLUPART_HOST);
    const size_t size = host != NULL ? strlen(host) : 0;
    if (size > 2 && host[0] == '[' && host[size - 1] == ']') {
        memmove(host, host + 1, size - 2);
        host[size - 2] = '\0';
    }
    return host;
}

static unsigned port_of(CURLU *url, unsigned otherwise) {
    char *text = NULL;
    unsigned port = otherwise;
    if (curl_url_get(url, CURLUPART_PORT, &text, 0) == CURLUE_OK) {
        port = (unsigned)strtoul(text, NULL, 10);
        curl_free(text);
    }
    return port;
}

static ir_status_t parse(CURLU *url, const ir_target_t *target, ir_error_t *error) {
    const CURLUcode code =
        url != NULL ? curl_url_set(url, CURLUPART_URL, target->uri, CURLU_NON_SUPPORT_SCHEME)
                    : CURLUE_OUT_OF_MEMORY;
    return code == CURLUE_OK ? IR_OK : wrong(target, curl_url_strerror(code), error);
}

static ir_status_t fill_mqtt(ir_target_t *target, ir_error_t *error) {
    CURLU *url = curl_url();
    const ir_status_t status = parse(url, target, error);
    if (status == IR_OK) {
        target->secure = strncmp(target->uri, "mqtts:", 6) == 0;
        target->host = host_of(url);
        target->user = part_of(url, CURLUPART_USER);
        target->password = part_of(url, CURLUPART_PASSWORD);
        target->port = port_of(url, target->secure ? MQTTS_PORT : MQTT_PORT);
    }
    curl_url_cleanup(url);
    return status == IR_OK && target->host == NULL ? wrong(target, "names no host", error) : status;
}

static ir_status_t complete_path(ir_target_t *target, CURLU *url, ir_error_t *error) {
    char *path = part_of(url, CURLUPART_PATH);
    const bool bare = path == NULL || strcmp(path, "/") == 0;
    free(path);
    char *whole = NULL;
    if ((bare && curl_url_set(url, CURLUPART_PATH, DEFAULT_PATH, 0) != CURLUE_OK) ||
        curl_url_get(url, CURLUPART_URL, &whole, 0) != CURLUE_OK) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a target");
    }
    free(target->uri);
    target->uri = strdup(whole);
    curl_free(whole);
    return target->uri != NULL ? IR_OK
                               : ir_error_set(error, IR_ERR_MEMORY, "out of memory for a target");
}

static ir_status_t fill_http(ir_target_t *target, ir_error_t *error) {
    CURLU *url = curl_url();
    ir_status_t status = parse(url, target, error);
    if (status == IR_OK) {
        target->host = host_of(url);
        status = complete_path(target, url, error);
    }
    curl_url_cleanup(url);
    return status;
}

static const struct {
    const char *prefix;
    const ir_sender_t *sender;
    ir_target_fill_fn fill;
    unsigned connections; /* number of connections if no other is requested */
} kinds[] = {
    {"amqp://", &ir_sender_amqp, fill_amqp, 1},  {"amqps://", &ir_sender_amqp, fill_amqp, 1},
    {"mqtt://", &ir_sender_mqtt, fill_mqtt, 1},  {"mqtts://", &ir_sender_mqtt, fill_mqtt, 1},
    {"http://", &ir_sender_http, fill_http, 16}, {"https://", &ir_sender_http, fill_http, 16},
    {"null:", &ir_sender_null, fill_null, 1},
};

static void free_target(ir_target_t *target) {
    free(target->uri);
    free(target->label);
    free(target->host);
    free(target->user);
    free(target->password);
    *target = (ir_target_t){0};
}

static bool uses_tls(const ir_target_t *target) {
    return strncmp(target->uri, "https:", 6) == 0 || strncmp(target->uri, "mqtts:", 6) == 0;
}

static ir_status_t check_ca(const ir_target_t *target, ir_error_t *error) {
    const char *ca = ir_setting_text(target->ca);
    return ca != NULL && uses_tls(target) && access(ca, R_OK) != 0
               ? ir_error_set(error, IR_ERR_USAGE, "ca: cannot read the certificates in %s: %s", ca,
                              strerror(errno))
               : IR_OK;
}

static ir_status_t fill(ir_target_t *target, ir_error_t *error) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strncmp(target->uri, kinds[i].prefix, strlen(kinds[i].prefix)) == 0) {
            target->sender = kinds[i].sender;
            target->connections =
                target->connections > 0 ? target->connections : kinds[i].connections;
            return kinds[i].fill(target, error);
        }
    }
    return wrong(target, "begins with none of amqp(s)://, http(s)://, mqtt(s)://, null:", error);
}

static ir_status_t make(ir_view_t uri, const ir_target_options_t *options, ir_target_t *target,
                        ir_error_t *error) {
    char label[LABEL_SIZE];
    ir_target_t made = {
        .uri = strndup(uri.data, uri.size),
        .ca = options->ca,
        .secret = options->mqtt_password,
        .tokens = options->tokens,
        .broker = options->broker,
        .connections = options->connections,
        .packs = options->packs,
        .timeout_ns = options->timeout_ns,
    };
    made.broker.ca_file = options->ca != NULL ? options->ca : options->broker.ca_file;
    made.label = made.uri != NULL ? strdup(ir_uri_masked(made.uri, label, sizeof label)) : NULL;
    ir_status_t status = made.label != NULL
                             ? fill(&made, error)
                             : ir_error_set(error, IR_ERR_MEMORY, "out of memory for a target");
    if (status == IR_OK) {
        status = check_ca(&made, error);
    }
    if (status != IR_OK) {
        free_target(&made);
        return status;
    }
    *target = made;
    return IR_OK;
}

/* Several addresses of one broker form one target; they are tried in turn. */
static ir_status_t add_broker(const ir_target_options_t *options, ir_targets_t *made,
                              ir_error_t *error) {
    made->count = 1;
    return make(ir_view_text(options->broker.uri), options, &made->all[0], error);
}

ir_status_t ir_targets_parse(const char *list, const ir_target_options_t *options,
                             ir_targets_t *targets, ir_error_t *error) {
    ir_targets_t made = {.count = 0};
    ir_status_t status = list == NULL ? add_broker(options, &made, error) : IR_OK;
    for (const char *at = list; status == IR_OK && at != NULL;) {
        const char *comma = strchr(at, ',');
        const ir_view_t uri = ir_view(at, comma != NULL ? (size_t)(comma - at) : strlen(at));
        status = made.count < IR_TARGETS_MAX
                     ? make(uri, options, &made.all[made.count], error)
                     : ir_error_set(error, IR_ERR_USAGE, "target: at most %d", IR_TARGETS_MAX);
        made.count += status == IR_OK;
        at = comma != NULL ? comma + 1 : NULL;
    }
    if (status != IR_OK) {
        ir_targets_free(&made);
        return status;
    }
    *targets = made;
    return IR_OK;
}

void ir_targets_free(ir_targets_t *targets) {
    for (unsigned i = 0; i < targets->count; i++) {
        free_target(&targets->all[i]);
    }
    targets->count = 0;
}

bool ir_targets_are_null(const ir_targets_t *targets) {
    for (unsigned i = 0; i < targets->count; i++) {
        if (targets->all[i].sender != &ir_sender_null) {
            return false;
        }
    }
    return true;
}
