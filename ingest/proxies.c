#include "ingest/proxies.h"

#include "common/view.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED_BITS 96
#define SEPARATORS ", \t"

static bool parse_address(const char *text, uint8_t bytes[static 16], bool *v4) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    memcpy(bytes, mapped, sizeof mapped);
    *v4 = inet_pton(AF_INET, text, bytes + sizeof mapped) == 1;
    return *v4 || inet_pton(AF_INET6, text, bytes) == 1;
}

static bool parse_network(char *word, ir_network_t *network) {
    char *slash = strchr(word, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    bool v4 = false;
    if (!parse_address(word, network->bytes, &v4)) {
        return false;
    }
    const unsigned first = v4 ? MAPPED_BITS : 0;
    network->bits = 128;
    if (slash != NULL) {
        char *end = NULL;
        const unsigned long bits = strtoul(slash + 1, &end, 10);
        if (end == slash + 1 || *end != '\0' || bits > 128 - first) {
            return false;
        }
        network->bits = first + (unsigned)bits;
    }
    return true;
}

ir_status_t ir_proxies_parse(const char *list, ir_proxies_t *proxies, ir_error_t *error) {
    ir_proxies_t made = {.count = 0};
    char word[64];
    for (const char *at = list + strspn(list, SEPARATORS); *at != '\0';
         at += strspn(at, SEPARATORS)) {
        const size_t size = strcspn(at, SEPARATORS);
        snprintf(word, sizeof word, "%.*s", (int)(size < sizeof word ? size : sizeof word), at);
        if (made.count == IR_PROXIES_MAX || !parse_network(word, &made.networks[made.count])) {
            return ir_error_set(error, IR_ERR_USAGE,
                                "trusted-proxies: '%s' is not an address or network like "
                                "10.0.0.0/8, or the list has more than %d entries",
                                word, IR_PROXIES_MAX);
        }
        made.count++;
        at += size;
    }
    *proxies = made;
    return IR_OK;
}

static bool matches(const ir_network_t *network, const uint8_t bytes[static 16]) {
    const unsigned whole = network->bits / 8;
    const unsigned rest = network->bits % 8;
    return memcmp(network->bytes, bytes, whole) == 0 &&
           (rest == 0 || (network->bytes[whole] ^ bytes[whole]) >> (8 - rest) == 0);
}

bool ir_proxies_contain(const ir_proxies_t *proxies, const char *address) {
    uint8_t bytes[16];
    bool v4 = false;
    if (!parse_address(address, bytes, &v4)) {
        return false;
    }
    for (size_t i = 0; i < proxies->count; i++) {
        if (matches(&proxies->networks[i], bytes)) {
            return true;
        }
    }
    return false;
}

/* Splits off the last word of `text`. */
static ir_view_t last_word(ir_view_t *text) {
    while (text->size > 0 && strchr(SEPARATORS, text->data[text->size - 1]) != NULL) {
        text->size--;
    }
    size_t begin = text->size;
    while (begin > 0 && strchr(SEPARATORS, text->data[begin - 1]) == NULL) {
        begin--;
    }
    const ir_view_t word = ir_view(text->data + begin, text->size - begin);
    text->size = begin;
    return word;
}

const char *ir_proxies_client(const ir_proxies_t *proxies, const char *peer, const char *forwarded,
                              char *text, size_t size) {
    snprintf(text, size, "%s", peer);
    ir_view_t rest = ir_view_text(forwarded);
    while (rest.size > 0 && ir_proxies_contain(proxies, text)) {
        const ir_view_t word = last_word(&rest);
        if (word.size > 0) {
            snprintf(text, size, "%.*s", IR_VIEW_ARG(word));
        }
    }
    return text;
}
