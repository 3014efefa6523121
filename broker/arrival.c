#include "broker/arrival.h"

#include "broker/connection.h"
#include "broker/replies.h"
#include "common/clock.h"

#include <stdio.h>
#include <string.h>

#define LEAST_S INT64_C(946684800) /* 2000-01-01 */
#define END_S INT64_C(7258118400)  /* 2200-01-01 */
#define VERSION_SIZE 32

/* ---- one value ---- */

/* Smaller integers are outside of the accepted years, whatever their unit. */
static bool integer_of(const amqp_field_value_t *value, int64_t *integer) {
    switch (value->kind) {
    case AMQP_FIELD_KIND_I64:
        *integer = value->value.i64;
        return true;
    case AMQP_FIELD_KIND_U64:
        *integer = value->value.u64 <= INT64_MAX ? (int64_t)value->value.u64 : INT64_MAX;
        return true;
    default:
        return false;
    }
}

/* Converts a count of units of `unit_ns` nanoseconds; 0 when the time is outside of the accepted
 * years. */
static int64_t time_of(int64_t count, int64_t unit_ns) {
    const int64_t per_second = IR_SECOND_NS / unit_ns;
    return count >= LEAST_S * per_second && count < END_S * per_second ? count * unit_ns : 0;
}

static int64_t header_time(const amqp_table_t *headers, const char *name, int64_t unit_ns) {
    const ir_view_t wanted = ir_view_text(name);
    const amqp_field_value_t *found = NULL;
    for (int i = 0; i < headers->num_entries; i++) {
        const amqp_table_entry_t *entry = &headers->entries[i];
        if (!ir_view_equal(ir_broker_view(entry->key), wanted)) {
            continue;
        }
        if (found != NULL) {
            return 0;
        }
        found = &entry->value;
    }
    int64_t count = 0;
    return found != NULL && integer_of(found, &count) ? time_of(count, unit_ns) : 0;
}

/* ---- a message ---- */

ir_arrival_t ir_arrival_read(const amqp_basic_properties_t *properties) {
    ir_arrival_t arrival = {0};
    if ((properties->_flags & AMQP_BASIC_HEADERS_FLAG) != 0) {
        arrival.broker_ns = header_time(&properties->headers, IR_HEADER_STAMP, IR_MILLISECOND_NS);
        arrival.header_ns = header_time(&properties->headers, IR_HEADER_ARRIVAL, IR_MICROSECOND_NS);
    }
    if ((properties->_flags & AMQP_BASIC_TIMESTAMP_FLAG) != 0 &&
        properties->timestamp < (uint64_t)END_S) {
        arrival.sent_ns = time_of((int64_t)properties->timestamp, IR_SECOND_NS);
    }
    return arrival;
}

bool ir_arrival_trusts(const char *users, ir_view_t user) {
    while (user.size > 0 && *users != '\0') {
        users += strspn(users, ", ");
        const size_t size = strcspn(users, ", ");
        if (ir_view_equal(ir_view(users, size), user)) {
            return true;
        }
        users += size;
    }
    return false;
}

bool ir_arrival_keeps_timestamp(ir_view_t version) {
    char text[VERSION_SIZE];
    unsigned major = 0;
    unsigned minor = 0;
    snprintf(text, sizeof text, "%.*s", IR_VIEW_ARG(version));
    return sscanf(text, "%5u.%5u", &major, &minor) == 2 &&
           (major < 3 || (major == 3 && minor < 12));
}
