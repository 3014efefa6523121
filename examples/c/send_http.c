/* Sends one value of a sensor over HTTP, with libcurl (Debian: libcurl4-openssl-dev).
 *
 *     gcc -Wall -o send_http send_http.c $(pkg-config --cflags --libs libcurl)
 *     RIVER_HTTP=http://HOST:PORT RIVER_TOKEN=… ./send_http ford/temperature Cel 18.4
 *
 * The program sends the same bytes again until it gets an answer, so nothing is lost or stored
 * twice. Exit status: 0 the value is stored safely, 1 it is refused for good, 2 wrong usage. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static size_t show(char *data, size_t size, size_t count, void *file) {
    return fwrite(data, size, count, file);
}

static struct curl_slist *make_headers(const char *token) {
    char authorization[512];
    snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", token);
    struct curl_slist *headers = curl_slist_append(NULL, authorization);
    return curl_slist_append(headers, "Content-Type: application/senml+json");
}

/* The status of the answer; 0: there was none. */
static long post(CURL *curl) {
    long status = 0;
    const CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) {
        fprintf(stderr, "no answer: %s\n", curl_easy_strerror(code));
        return 0;
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* Returns the seconds until the next try: the answer's Retry-After, otherwise twice the previous
 * time. */
static unsigned wait_time(CURL *curl, unsigned pause) {
    curl_off_t asked = 0;
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &asked);
    return asked > 0 && asked < 3600 ? (unsigned)asked : pause < 60 ? 2 * pause : 60;
}

static int send_pack(CURL *curl) {
    unsigned pause = 1;
    for (;;) {
        const long status = post(curl);
        if (status == 202) {
            return 0;
        }
        if (status != 0 && status != 408 && status != 429 && status != 503) {
            fprintf(stderr, "\nrefused for good: %ld\n", status);
            return 1;
        }
        sleep(pause);
        pause = wait_time(curl, pause);
    }
}

int main(int argc, char **argv) {
    const char *address = getenv("RIVER_HTTP");
    const char *token = getenv("RIVER_TOKEN");
    if (argc != 4 || address == NULL || token == NULL) {
        fprintf(stderr,
                "usage: RIVER_HTTP=http://HOST:PORT RIVER_TOKEN=… send_http NAME UNIT VALUE\n");
        return 2;
    }
    char url[512];
    char pack[1024];
    snprintf(url, sizeof url, "%s/v1/observations", address);
    snprintf(pack, sizeof pack, "[{\"n\":\"%s\",\"u\":\"%s\",\"t\":%lld,\"v\":%s}]", argv[1],
             argv[2], (long long)time(NULL), argv[3]);

    CURL *curl = curl_easy_init();
    if (curl == NULL) {
        return 2;
    }
    struct curl_slist *headers = make_headers(token);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, pack);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, show);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, stdout);
    const int result = send_pack(curl);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return result;
}
