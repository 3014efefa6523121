#include "http/client.h"

#include "common/messages.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <threads.h>

#define CONNECT_TIMEOUT_MS 5000
#define TIMEOUT_DEFAULT_MS 30000

struct ir_http {
    CURL *curl;
    char reason[CURL_ERROR_SIZE];
    ir_buffer_t answer;
    long timeout_ms, more_ms;
    /* of the current call */
    const ir_http_request_t *request;
    ir_status_t taken;
    bool head_ended; /* the empty line has arrived */
    bool chunked;
};

static once_flag started = ONCE_FLAG_INIT;

static void start(void) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void keep(ir_http_client_t *http, const char *data, size_t size) {
    const size_t room = IR_HTTP_ANSWER_MAX - http->answer.size;
    ir_buffer_append(&http->answer, data, size < room ? size : room);
}

static size_t receive(char *data, size_t one, size_t size, void *context) {
    ir_http_client_t *http = context;
    long code = 0;
    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &code);
    if (http->request->take == NULL || code / 100 != 2) {
        keep(http, data, size * one);
        return size * one;
    }
    http->taken = http->request->take(http->request->context, ir_view(data, size * one));
    return http->taken == IR_OK ? size * one : 0;
}

/* Called with each line of the head, including those of interim responses and trailers. */
static size_t receive_head(char *data, size_t one, size_t size, void *context) {
    static const char coding[] = "transfer-encoding:";
    ir_http_client_t *http = context;
    const size_t bytes = one * size;
    if (bytes >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        http->head_ended = http->chunked = false;
    } else if (bytes > 0 && (data[0] == '\r' || data[0] == '\n')) {
        http->head_ended = true;
    } else if (bytes >= sizeof coding - 1 && strncasecmp(data, coding, sizeof coding - 1) == 0) {
        http->chunked = true;
    }
    return bytes;
}

static void set_login(CURL *curl, const ir_http_login_t *login) {
    if (login->ca_file != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, login->ca_file);
    }
    if (login->token != NULL && *login->token != '\0') {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, login->token);
    } else if (login->user != NULL && *login->user != '\0') {
        curl_easy_setopt(curl, CURLOPT_USERNAME, login->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, login->password != NULL ? login->password : "");
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)(CURLAUTH_BASIC | CURLAUTH_DIGEST));
    }
}

static void set_fixed(ir_http_client_t *http) {
    CURL *curl = http->curl;
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->reason);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 65536L);
    curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 262144L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                     http->timeout_ms < CONNECT_TIMEOUT_MS ? http->timeout_ms
                                                           : (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, receive_head);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, http);
}

ir_http_client_t *ir_http_client_new(const ir_http_login_t *login, int64_t timeout_ns) {
    call_once(&started, start);
    ir_http_client_t *http = calloc(1, sizeof *http);
    if (http == NULL) {
        return NULL;
    }
    http->curl = curl_easy_init();
    if (http->curl == NULL) {
        free(http);
        return NULL;
    }
    http->timeout_ms = timeout_ns > 0 ? (long)(timeout_ns / 1000000) : TIMEOUT_DEFAULT_MS;
    http->timeout_ms = http->timeout_ms > 0 ? http->timeout_ms : 1;
    set_fixed(http);
    set_login(http->curl, login);
    return http;
}

void ir_http_allow(ir_http_client_t *http, int64_t more_ns) {
    http->more_ms = (long)(more_ns / 1000000);
}

void ir_http_client_free(ir_http_client_t *http) {
    if (http == NULL) {
        return;
    }
    curl_easy_cleanup(http->curl);
    ir_buffer_free(&http->answer);
    free(http);
}

ir_view_t ir_http_answer(const ir_http_client_t *http) {
    return ir_buffer_view(&http->answer);
}

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value) {
    char line[256];
    if (value == NULL) {
        return list;
    }
    snprintf(line, sizeof line, "%s: %s", name, value);
    struct curl_slist *longer = curl_slist_append(list, line);
    return longer != NULL ? longer : list;
}

static void set_request(ir_http_client_t *http, const ir_http_request_t *request,
                        struct curl_slist *headers) {
    CURL *curl = http->curl;
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (strcmp(request->method, "GET") == 0) {
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, NULL);
    } else {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
                         request->body.size > 0 ? request->body.data : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
    }
    const long longest_ms = http->timeout_ms + http->more_ms;
    const long seconds = longest_ms / 1000 + 1;
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, request->stalls_only ? 0L : longest_ms);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, request->stalls_only ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, request->stalls_only ? seconds : 0L);
}

static ir_status_t explain(const ir_http_client_t *http, CURLcode result, ir_error_t *error) {
    const char *text = http->reason[0] != '\0' ? http->reason : curl_easy_strerror(result);
    const char *url = http->request->url;
    const int size = (int)strcspn(url, "?");
    switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
        return ir_error_set(error, IR_ERR_TIMEOUT, "%.*s does not answer in time: %s", size, url,
                            text);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
        return ir_error_set(error, IR_ERR_PROTOCOL, IR_TEXT_NOT_HTTP, size, url, text);
    case CURLE_OUT_OF_MEMORY:
        return ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
    case CURLE_URL_MALFORMAT:
        return ir_error_set(error, IR_ERR_USAGE, "'%.*s' is no URL: %s", size, url, text);
    default:
        return ir_error_set(error, IR_ERR_CONNECT, "cannot reach %.*s: %s", size, url, text);
    }
}

/* The library accepts a response that ends within its head. If no length is given, it also accepts
 * a body that ends anywhere. This function detects both. */
static ir_status_t check_whole(const ir_http_client_t *http, long code, ir_error_t *error) {
    curl_off_t length = -1;
    long version = 0;
    curl_easy_getinfo(http->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    curl_easy_getinfo(http->curl, CURLINFO_HTTP_VERSION, &version);
    const bool framed = length >= 0 || http->chunked || code == 204 ||
                        version >= CURL_HTTP_VERSION_2_0 || code / 100 != 2;
    if (http->head_ended && framed) {
        return IR_OK;
    }
    const char *url = http->request->url;
    return ir_error_set(error, IR_ERR_CONNECT, "%.*s: the answer %s", (int)strcspn(url, "?"), url,
                        http->head_ended ? "does not say how long it is: it may be cut off"
                                         : "was cut off in its head");
}

ir_status_t ir_http_client_call(ir_http_client_t *http, const ir_http_request_t *request, int *code,
                                ir_error_t *error) {
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    headers = add_header(headers, "Content-Type", request->content_type);
    headers = add_header(headers, "Accept", request->accept);
    ir_buffer_clear(&http->answer);
    http->reason[0] = '\0';
    http->request = request;
    http->taken = IR_OK;
    http->head_ended = http->chunked = false;
    set_request(http, request, headers);
    const CURLcode result = curl_easy_perform(http->curl);
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    if (result != CURLE_OK) {
        return http->taken != IR_OK ? http->taken : explain(http, result, error);
    }
    long status = 0;
    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
    const ir_status_t whole = check_whole(http, status, error);
    if (whole == IR_OK) {
        *code = (int)status;
    }
    return whole;
}

ir_view_t ir_http_media_type(const ir_http_client_t *http) {
    char *type = NULL;
    curl_easy_getinfo(http->curl, CURLINFO_CONTENT_TYPE, &type);
    return type != NULL ? ir_view(type, strcspn(type, "; ")) : ir_view("", 0);
}
