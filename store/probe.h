/* Whether anything takes connections at a TCP port: tells "nobody there" from "somebody else". */
#ifndef IR_STORE_PROBE_H
#define IR_STORE_PROBE_H

#include <stdbool.h>

/* Blocks at most `timeout_ms` for each address of the host. */
bool ir_probe_tcp(const char *host, int port, int timeout_ms);

#endif
