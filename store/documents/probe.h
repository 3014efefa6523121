/* Checks whether anything accepts connections on a TCP port: distinguishes "nobody there" from
 * "another service". */
#ifndef IR_STORE_DOCUMENTS_PROBE_H
#define IR_STORE_DOCUMENTS_PROBE_H

#include <stdbool.h>

/* Blocks at most `timeout_ms` per address of the host. */
bool ir_probe_tcp(const char *host, int port, int timeout_ms);

#endif
