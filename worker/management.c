#include "worker/management.h"

#include <stdio.h>
#include <string.h>

bool ir_management_next(const char **uris, char uri[static IR_MANAGEMENT_URI_SIZE]) {
    *uris += strspn(*uris, ", \t");
    const size_t size = strcspn(*uris, ", \t");
    snprintf(uri, IR_MANAGEMENT_URI_SIZE, "%.*s", (int)size, *uris);
    *uris += size;
    return size > 0;
}

ir_status_t ir_management_parse(const char *uri, ir_management_place_t *place, ir_error_t *error) {
    const char *host = strstr(uri, "://");
    const bool good =
        (strncmp(uri, "http://", 7) == 0 || strncmp(uri, "https://", 8) == 0) && host[3] != '\0';
    const char *at = good ? strchr(host, '@') : NULL;
    if (!good || (at != NULL && memchr(host + 3, ':', (size_t)(at - host - 3)) != NULL)) {
        return ir_error_set(
            error, IR_ERR_USAGE,
            "management: an address is http://USER@HOST:15672, the password is set separately");
    }
    const size_t scheme = (size_t)(host - uri) + 3;
    snprintf(place->user, sizeof place->user, "%.*s", at != NULL ? (int)(at - host - 3) : 5,
             at != NULL ? host + 3 : "guest");
    snprintf(place->base, sizeof place->base, "%.*s%s", (int)scheme, uri,
             at != NULL ? at + 1 : host + 3);
    place->base[strcspn(place->base, " ")] = '\0';
    const size_t size = strlen(place->base);
    if (place->base[size - 1] == '/') {
        place->base[size - 1] = '\0';
    }
    return IR_OK;
}

ir_status_t ir_management_check(const char *uris, ir_error_t *error) {
    char uri[IR_MANAGEMENT_URI_SIZE];
    ir_management_place_t place;
    ir_status_t status = IR_OK;
    while (status == IR_OK && uris != NULL && ir_management_next(&uris, uri)) {
        status = ir_management_parse(uri, &place, error);
    }
    return status;
}
