/* The balancers that are trusted to report a client's address. Used only for the log: nothing is
 * allowed or refused by address. */
#ifndef IR_INGEST_PROXIES_H
#define IR_INGEST_PROXIES_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IR_PROXIES_MAX 32

typedef struct ir_network {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;
} ir_network_t;

typedef struct ir_proxies {
    ir_network_t networks[IR_PROXIES_MAX];
    size_t count;
} ir_proxies_t;

/* "127.0.0.1,10.0.0.0/8,fd00::/8"; empty: none. IR_ERR_USAGE. */
ir_status_t ir_proxies_parse(const char *list, ir_proxies_t *proxies, ir_error_t *error);

bool ir_proxies_contain(const ir_proxies_t *proxies, const char *address);

/* The client's address: that of the peer; or, if the peer is a trusted proxy, the last address in
 * the header X-Forwarded-For (may be NULL) that is not a trusted proxy. Cut to `size`. Returns
 * `text`. */
const char *ir_proxies_client(const ir_proxies_t *proxies, const char *peer, const char *forwarded,
                              char *text, size_t size);

#endif
