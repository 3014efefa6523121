#include "feed/zone.h"

#include "common/clock.h"
#include "common/name_table.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <glib.h>

#define NAME_MAX_SIZE 64
#define HOUR_S 3600
#define MINUTE_S 60
#define OFFSET_MAX_S (26 * HOUR_S) /* larger than the offset of any zone */

struct ir_zone {
    char *name;
    GTimeZone *rules; /* NULL: a fixed offset */
    int64_t offset_ns;
};

struct ir_zones {
    ir_name_table_t by_name;
    ir_zone_t *all[IR_ZONES_MAX];
    size_t count;
};

/* Offsets of abbreviations, in hours: those of the USGS (help.waterdata.usgs.gov, tz_query) that
 * are unambiguous, and European ones. */
static const struct {
    const char *name;
    double hours;
} abbreviations[] = {
    {"UTC", 0},    {"GMT", 0},   {"Z", 0},    {"WET", 0},   {"WEST", 1},   {"CET", 1},
    {"CEST", 2},   {"MEZ", 1},   {"MESZ", 2}, {"EET", 2},   {"EEST", 3},   {"NST", -3.5},
    {"NDT", -2.5}, {"AST", -4},  {"ADT", -3}, {"EST", -5},  {"EDT", -4},   {"CST", -6},
    {"CDT", -5},   {"MST", -7},  {"MDT", -6}, {"PST", -8},  {"PDT", -7},   {"AKST", -9},
    {"AKDT", -8},  {"HST", -10}, {"HDT", -9}, {"JST", 9},   {"ACST", 9.5}, {"ACDT", 10.5},
    {"AEST", 10},  {"AEDT", 11}, {"AWST", 8}, {"NZST", 12}, {"NZDT", 13},
};

/* ---- names ---- */

static bool find_abbreviation(const char *name, int64_t *offset_ns) {
    for (size_t i = 0; i < sizeof abbreviations / sizeof abbreviations[0]; i++) {
        if (strcmp(name, abbreviations[i].name) == 0) {
            *offset_ns = (int64_t)(abbreviations[i].hours * HOUR_S) * IR_SECOND_NS;
            return true;
        }
    }
    return false;
}

/* Parses one or two digits; returns the text after them, or NULL. */
static const char *take_number(const char *text, int *number) {
    if (!isdigit((unsigned char)text[0])) {
        return NULL;
    }
    *number = 0;
    for (int i = 0; i < 2 && isdigit((unsigned char)*text); i++) {
        *number = *number * 10 + (*text++ - '0');
    }
    return text;
}

/* Parses "+01:00", "+0100" or "+1", each with or without "UTC" or "GMT" in front. */
static bool parse_offset(const char *name, int64_t *offset_ns) {
    int hours = 0;
    int minutes = 0;
    name += strncmp(name, "UTC", 3) == 0 || strncmp(name, "GMT", 3) == 0 ? 3 : 0;
    const int sign = name[0] == '-' ? -1 : 1;
    if (name[0] != '+' && name[0] != '-') {
        return false;
    }
    name = take_number(name + 1, &hours);
    if (name != NULL && name[0] != '\0') {
        name = take_number(name + (name[0] == ':'), &minutes);
    }
    *offset_ns = sign * (int64_t)(hours * HOUR_S + minutes * MINUTE_S) * IR_SECOND_NS;
    return name != NULL && name[0] == '\0' && hours <= 15 && minutes < 60;
}

/* A name becomes a path in the database's folder. It may come from a file's column, so it is
 * checked. */
static bool may_be_path(const char *name) {
    return isalpha((unsigned char)name[0]) &&
           name[strspn(
               name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/")] == '\0';
}

static bool fill(ir_zone_t *zone) {
    if (find_abbreviation(zone->name, &zone->offset_ns) ||
        parse_offset(zone->name, &zone->offset_ns)) {
        return true;
    }
    zone->rules = may_be_path(zone->name) ? g_time_zone_new_identifier(zone->name) : NULL;
    return zone->rules != NULL;
}

/* ---- life ---- */

ir_zones_t *ir_zones_new(void) {
    return calloc(1, sizeof(ir_zones_t));
}

static void free_zone(ir_zone_t *zone) {
    if (zone->rules != NULL) {
        g_time_zone_unref(zone->rules);
    }
    free(zone->name);
    free(zone);
}

void ir_zones_free(ir_zones_t *zones) {
    if (zones != NULL) {
        for (size_t i = 0; i < zones->count; i++) {
            free_zone(zones->all[i]);
        }
        ir_name_table_free(&zones->by_name);
        free(zones);
    }
}

const ir_zone_t *ir_zones_find(ir_zones_t *zones, ir_view_t name) {
    ir_zone_t *zone = ir_name_table_find(&zones->by_name, name);
    errno = 0;
    if (zone != NULL) {
        return zone;
    }
    if (name.size == 0 || name.size > NAME_MAX_SIZE || zones->count == IR_ZONES_MAX ||
        memchr(name.data, '\0', name.size) != NULL) {
        return NULL;
    }
    zone = calloc(1, sizeof *zone);
    if (zone == NULL || (zone->name = strndup(name.data, name.size)) == NULL) {
        free(zone);
        errno = ENOMEM;
        return NULL;
    }
    const bool known = fill(zone);
    if (!known || !ir_name_table_add(&zones->by_name, ir_view_text(zone->name), zone)) {
        free_zone(zone);
        errno = known ? ENOMEM : 0;
        return NULL;
    }
    zones->all[zones->count++] = zone;
    return zone;
}

/* ---- instants ---- */

static int64_t floor_seconds(int64_t time_ns) {
    return time_ns / IR_SECOND_NS - (time_ns % IR_SECOND_NS < 0);
}

static void add_instant(ir_instants_t *instants, int64_t time_ns) {
    if (instants->count++ == 0) {
        instants->first_ns = time_ns;
    } else {
        instants->second_ns = time_ns;
    }
}

ir_instants_t ir_zone_instants(const ir_zone_t *zone, int64_t wall_ns) {
    ir_instants_t instants = {.count = 0};
    if (zone->rules == NULL) {
        add_instant(&instants, wall_ns - zone->offset_ns);
        return instants;
    }
    /* The zone has a constant offset in each period. Each period near this time gives a possible
     * instant, which counts only if it lies in that period. */
    const int64_t wall_s = floor_seconds(wall_ns);
    const gint from =
        g_time_zone_find_interval(zone->rules, G_TIME_TYPE_UNIVERSAL, wall_s - OFFSET_MAX_S);
    const gint to =
        g_time_zone_find_interval(zone->rules, G_TIME_TYPE_UNIVERSAL, wall_s + OFFSET_MAX_S);
    for (gint i = from; i <= to && instants.count < 2; i++) {
        const int64_t offset_s = g_time_zone_get_offset(zone->rules, i);
        if (g_time_zone_find_interval(zone->rules, G_TIME_TYPE_UNIVERSAL, wall_s - offset_s) == i) {
            add_instant(&instants, wall_ns - offset_s * IR_SECOND_NS);
        }
    }
    return instants;
}
