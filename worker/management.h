/* Addresses of RabbitMQ's management interface, as the setting `management` gives them. */
#ifndef IR_WORKER_MANAGEMENT_H
#define IR_WORKER_MANAGEMENT_H

#include "common/status.h"

#include <stdbool.h>

#define IR_MANAGEMENT_URI_SIZE 512

typedef struct ir_management_place {
    char user[128];
    char base[IR_MANAGEMENT_URI_SIZE]; /* the address without the user */
} ir_management_place_t;

/* Takes the next address of the list; returns false at its end. */
bool ir_management_next(const char **uris, char uri[static IR_MANAGEMENT_URI_SIZE]);

/* IR_ERR_USAGE: it is not http(s)://[USER@]HOST[:PORT]. Without a user: guest. */
ir_status_t ir_management_parse(const char *uri, ir_management_place_t *place, ir_error_t *error);

/* Checks the setting: "" or addresses, separated by commas. */
ir_status_t ir_management_check(const char *uris, ir_error_t *error);

#endif
