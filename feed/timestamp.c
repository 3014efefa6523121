#include "feed/timestamp.h"

#include "common/clock.h"

#include <ctype.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT_SIZE 80
#define FLAGS "-_0^#EO" /* of a directive */
#define YEAR_MIN 1900
#define YEAR_MAX 2200
#define TM_YEAR_0 1900
#define NANOSECOND_DIGITS 9
#define MINUTE_S 60
#define DAY_S 86400
#define MIDNIGHT "24:00"
#define LIKELY_MIN_NS (INT64_C(315532800) * IR_SECOND_NS) /* 1980 */
#define SERIAL_MIN 36526                                  /* 2000-01-01 */
#define SERIAL_MAX 73050                                  /* 2099-12-31 */
#define MS_MIN (-INT64_C(2208988800000))                  /* 1900 */
#define MS_MAX INT64_C(7258118400000)                     /* 2200 */

/* ---- formats ---- */

/* Whether the format has a directive with one of these letters; flags before the letter are
 * skipped. */
static bool has_directive(const char *format, const char *letters) {
    for (const char *at = strchr(format, '%'); at != NULL; at = strchr(at + 1, '%')) {
        at += 1 + strspn(at + 1, FLAGS);
        if (at[0] == '\0') {
            return false;
        }
        if (strchr(letters, at[0]) != NULL) {
            return true;
        }
    }
    return false;
}

/* strptime reads the directives of ISO weeks (%G, %V) but ignores them. */
static bool has_date(const char *format) {
    return has_directive(format, "FDcx") ||
           (has_directive(format, "Yy") &&
            (has_directive(format, "j") ||
             (has_directive(format, "mbBh") && has_directive(format, "de")) ||
             (has_directive(format, "UW") && has_directive(format, "waAu"))));
}

static bool is_word(const char *format) {
    return strcmp(format, "iso") == 0 || strcmp(format, "unix") == 0 ||
           strcmp(format, "unix-ms") == 0;
}

ir_status_t ir_timestamp_check(const char *format, ir_error_t *error) {
    if (is_word(format)) {
        return IR_OK;
    }
    if (strchr(format, '%') == NULL) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "time-format: '%.80s' is not iso, unix or unix-ms, and contains no %%",
                            format);
    }
    if (has_directive(format, "s")) {
        return ir_error_set(error, IR_ERR_USAGE, "time-format: use unix instead of %%s");
    }
    if (has_directive(format, "Z")) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "time-format: %%Z is not supported; give the abbreviation's column as "
                            "zone = column:NAME, or write the abbreviation as text");
    }
    if (!has_date(format)) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "time-format: '%.80s' gives no complete date; it needs year, month and "
                            "day, such as %%Y-%%m-%%d (ISO weeks cannot be read)",
                            format);
    }
    if (has_directive(format, "Il") != has_directive(format, "p")) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "time-format: %%I (hours from 1 to 12) and %%p (AM or PM) belong "
                            "together; %%H is for hours from 0 to 23");
    }
    return IR_OK;
}

/* ---- parts ---- */

/* Parses ".25" or ",25". Ignores digits after the ninth. Returns false for any other text. */
static bool parse_fraction(const char **text, int64_t *ns) {
    *ns = 0;
    if ((*text)[0] != '.' && (*text)[0] != ',') {
        return true;
    }
    const char *at = *text + 1;
    if (!isdigit((unsigned char)*at)) {
        return false;
    }
    int digits = 0;
    for (; isdigit((unsigned char)*at); at++, digits++) {
        *ns = digits < NANOSECOND_DIGITS ? *ns * 10 + (*at - '0') : *ns;
    }
    for (; digits < NANOSECOND_DIGITS; digits++) {
        *ns *= 10;
    }
    *text = at;
    return true;
}

/* timegm corrects impossible dates (30 February) instead of refusing them. */
static bool to_seconds(const struct tm *parts, int64_t *seconds) {
    struct tm corrected = *parts;
    const int year = parts->tm_year + TM_YEAR_0;
    corrected.tm_isdst = 0;
    *seconds = timegm(&corrected);
    return year >= YEAR_MIN && year < YEAR_MAX && corrected.tm_mday == parts->tm_mday &&
           corrected.tm_mon == parts->tm_mon && corrected.tm_hour == parts->tm_hour &&
           corrected.tm_min == parts->tm_min && corrected.tm_sec == parts->tm_sec;
}

static bool parse_parts(const char *text, const char *format, ir_timestamp_t *timestamp) {
    struct tm parts = {.tm_mday = 1};
    const bool zoned = has_directive(format, "z");
    int64_t seconds = 0;
    int64_t fraction_ns = 0;
    const char *rest = strptime(text, format, &parts);
    const long offset_s = zoned ? parts.tm_gmtoff : 0;
    if (rest == NULL || !parse_fraction(&rest, &fraction_ns) || rest[0] != '\0' ||
        !to_seconds(&parts, &seconds)) {
        return false;
    }
    *timestamp = (ir_timestamp_t){.zoned = zoned,
                                  .time_ns = (seconds - offset_s) * IR_SECOND_NS + fraction_ns};
    return true;
}

/* ---- words ---- */

/* Parses two digits; false if they are missing. */
static bool take_two(const char **text, int *number) {
    const char *at = *text;
    if (!isdigit((unsigned char)at[0]) || !isdigit((unsigned char)at[1])) {
        return false;
    }
    *number = (at[0] - '0') * 10 + (at[1] - '0');
    *text += 2;
    return true;
}

/* "Z", "+02:00", "+0200", "+02", or nothing. */
static bool parse_iso_offset(const char *text, ir_timestamp_t *timestamp) {
    int hours = 0;
    int minutes = 0;
    timestamp->zoned = text[0] != '\0';
    if (!timestamp->zoned || strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
        return true;
    }
    const int sign = text[0] == '-' ? -1 : 1;
    if (text[0] != '+' && text[0] != '-') {
        return false;
    }
    text++;
    if (!take_two(&text, &hours)) {
        return false;
    }
    text += text[0] == ':';
    if ((text[0] != '\0' && !take_two(&text, &minutes)) || text[0] != '\0' || hours >= 24 ||
        minutes >= 60) {
        return false;
    }
    timestamp->time_ns -= sign * (int64_t)(hours * 60 + minutes) * MINUTE_S * IR_SECOND_NS;
    return true;
}

static bool parse_iso(const char *text, ir_timestamp_t *timestamp) {
    struct tm parts = {.tm_mday = 1};
    int64_t seconds = 0;
    int64_t fraction_ns = 0;
    const char *rest = strptime(text, "%Y-%m-%d", &parts);
    if (rest == NULL || (rest[0] != 'T' && rest[0] != 't' && rest[0] != ' ')) {
        return false;
    }
    rest = strptime(rest + 1, "%H:%M", &parts);
    if (rest != NULL && rest[0] == ':') {
        rest = strptime(rest, ":%S", &parts);
    }
    if (rest == NULL || !parse_fraction(&rest, &fraction_ns) || !to_seconds(&parts, &seconds)) {
        return false;
    }
    timestamp->time_ns = seconds * IR_SECOND_NS + fraction_ns;
    while (rest[0] == ' ') {
        rest++;
    }
    return parse_iso_offset(rest, timestamp);
}

static bool parse_unix(const char *text, int64_t unit_ns, ir_timestamp_t *timestamp) {
    char *end = NULL;
    const bool negative = text[0] == '-';
    if (!isdigit((unsigned char)text[negative])) {
        return false;
    }
    const int64_t units = strtoll(text, &end, 10);
    const char *rest = end;
    int64_t fraction_ns = 0;
    const int64_t per_ms = IR_MILLISECOND_NS;
    if (!parse_fraction(&rest, &fraction_ns) || rest[0] != '\0' ||
        units < MS_MIN / (unit_ns / per_ms) || units > MS_MAX / (unit_ns / per_ms)) {
        return false;
    }
    fraction_ns = fraction_ns / (IR_SECOND_NS / unit_ns);
    timestamp->zoned = true;
    timestamp->time_ns = units * unit_ns + (negative ? -fraction_ns : fraction_ns);
    return true;
}

/* ---- any ---- */

static bool parse(const char *text, const char *format, ir_timestamp_t *timestamp) {
    return strcmp(format, "iso") == 0       ? parse_iso(text, timestamp)
           : strcmp(format, "unix") == 0    ? parse_unix(text, IR_SECOND_NS, timestamp)
           : strcmp(format, "unix-ms") == 0 ? parse_unix(text, IR_MILLISECOND_NS, timestamp)
                                            : parse_parts(text, format, timestamp);
}

/* Returns where the text says 24:00, the end of a day (ISO 8601-1:2019), or NULL. The seconds, if
 * given, must be zero. */
static char *find_midnight(char *text) {
    char *at = strstr(text, MIDNIGHT);
    if (at == NULL || (at > text && isdigit((unsigned char)at[-1]))) {
        return NULL;
    }
    const char *rest = at + strlen(MIDNIGHT);
    rest += strncmp(rest, ":00", 3) == 0 ? 3 : 0;
    return rest[0] == '\0' || strchr(" Zz+-", rest[0]) != NULL ? at : NULL;
}

static bool parse_midnight(char *text, const char *format, ir_timestamp_t *timestamp) {
    char *at = find_midnight(text);
    if (at == NULL) {
        return false;
    }
    at[0] = at[1] = '0';
    if (!parse(text, format, timestamp)) {
        return false;
    }
    timestamp->time_ns += DAY_S * IR_SECOND_NS;
    return true;
}

/* Makes "am" and "pm" of "a.m." and "p. m.". */
static void shorten_half_day(char *text) {
    for (char *dot = strchr(text, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        const char *rest = dot + 1 + strspn(dot + 1, " ");
        if (dot > text && strchr("AaPp", dot[-1]) != NULL &&
            toupper((unsigned char)rest[0]) == 'M' && rest[1] == '.') {
            dot[0] = rest[0];
            memmove(dot + 1, rest + 2, strlen(rest + 2) + 1);
        }
    }
}

static bool copy_text(ir_view_t text, char copy[static TEXT_SIZE]) {
    if (text.size == 0 || text.size >= TEXT_SIZE || memchr(text.data, '\0', text.size) != NULL) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    shorten_half_day(copy);
    return true;
}

bool ir_timestamp_parse(ir_view_t text, const char *format, ir_timestamp_t *timestamp) {
    char copy[TEXT_SIZE];
    ir_timestamp_t parsed = {.time_ns = 0};
    const bool good = copy_text(text, copy) &&
                      (parse(copy, format, &parsed) || parse_midnight(copy, format, &parsed));
    if (good) {
        *timestamp = parsed;
    }
    return good;
}

/* ---- did you mean ---- */

static const char *const usual[] = {
    "iso",
    "unix",
    "unix-ms",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%y %H:%M",
    "%d.%m.%y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%y %H:%M",
    "%m/%d/%y %H:%M",
    "%d/%m/%y %H:%M:%S",
    "%m/%d/%y %H:%M:%S",
    "%d/%m/%Y %I:%M %p",
    "%m/%d/%Y %I:%M %p",
    "%d/%m/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%y %I:%M:%S %p",
    "%d-%m-%Y %H:%M",
    "%d-%m-%Y %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y%m%d%H%M",
    "%Y%m%d%H%M%S",
    "%Y%m%d %H%M",
    "%Y%m%d",
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
};

/* Days since 1899-12-30, of this century. */
static bool is_serial(ir_view_t text) {
    char copy[TEXT_SIZE];
    ir_timestamp_t days;
    return copy_text(text, copy) && parse_unix(copy, IR_SECOND_NS, &days) &&
           days.time_ns > SERIAL_MIN * IR_SECOND_NS && days.time_ns < SERIAL_MAX * IR_SECOND_NS;
}

/* "2025-W43…" or "2025W43…" */
static bool is_week(ir_view_t text) {
    const char *sign = text.size > 0 ? memchr(text.data, 'W', text.size) : NULL;
    const size_t before = sign != NULL ? (size_t)(sign - text.data) : 0;
    return (before == 4 || before == 5) && isdigit((unsigned char)text.data[0]) &&
           before + 2 < text.size && isdigit((unsigned char)sign[1]) &&
           isdigit((unsigned char)sign[2]);
}

static bool has_word(ir_view_t text) {
    size_t letters = 0;
    for (size_t i = 0; i < text.size && letters < 3; i++) {
        letters = isalpha((unsigned char)text.data[i]) ? letters + 1 : 0;
    }
    return letters == 3;
}

static bool has_digit(ir_view_t text) {
    for (size_t i = 0; i < text.size; i++) {
        if (isdigit((unsigned char)text.data[i])) {
            return true;
        }
    }
    return false;
}

const char *ir_timestamp_like(ir_view_t text, char out[static IR_TIMESTAMP_LIKE_SIZE]) {
    char copy[TEXT_SIZE];
    size_t size = 0;
    out[0] = '\0';
    for (size_t i = 0; copy_text(text, copy) && i < sizeof usual / sizeof usual[0]; i++) {
        ir_timestamp_t timestamp;
        if ((parse(copy, usual[i], &timestamp) || parse_midnight(copy, usual[i], &timestamp)) &&
            timestamp.time_ns >= LIKELY_MIN_NS && size < IR_TIMESTAMP_LIKE_SIZE) {
            size += (size_t)snprintf(out + size, IR_TIMESTAMP_LIKE_SIZE - size, "%s%s",
                                     size > 0 ? " or " : "; did you mean ", usual[i]);
        }
    }
    if (size == 0 && is_serial(text)) {
        snprintf(out, IR_TIMESTAMP_LIKE_SIZE,
                 "; if it is a spreadsheet's serial date, export the column as date and time");
    } else if (size == 0 && is_week(text)) {
        snprintf(out, IR_TIMESTAMP_LIKE_SIZE,
                 "; ISO weeks cannot be read: export the column as a date");
    } else if (size == 0 && !has_digit(text)) {
        snprintf(out, IR_TIMESTAMP_LIKE_SIZE,
                 "; if it is a row of units below the header, set after-header = 1");
    } else if (size == 0 && has_word(text)) {
        snprintf(out, IR_TIMESTAMP_LIKE_SIZE,
                 "; names of months (%%b) are read in English, and zones only from a column");
    }
    if (size > 0 && size < IR_TIMESTAMP_LIKE_SIZE - 1) {
        strcpy(out + size, "?");
    }
    return out;
}
