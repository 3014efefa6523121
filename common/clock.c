#include "common/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id) {
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * IR_SECOND_NS + now.tv_nsec;
}

int64_t ir_clock_now(void) {
    return read_clock(CLOCK_REALTIME);
}

int64_t ir_clock_monotonic(void) {
    return read_clock(CLOCK_MONOTONIC);
}

int64_t ir_clock_process_cpu(void) {
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

void ir_clock_sleep(int64_t ns) {
    if (ns > 0) {
        const struct timespec wait = {.tv_sec = ns / IR_SECOND_NS, .tv_nsec = ns % IR_SECOND_NS};
        nanosleep(&wait, NULL);
    }
}

/* Floor division, so that times before 1970 also get the right second and day. */
static int64_t floor_div(int64_t value, int64_t by) {
    return value / by - (value % by < 0);
}

/* Days since 1970-01-01 to year, month, day, and back. The arithmetic uses years that begin in
 * March and eras of 400 years, after which the calendar repeats. */
static void civil_from_days(int64_t days, int *year, int *month, int *day) {
    const int64_t shifted = days + 719468;
    const int64_t era = floor_div(shifted, 146097);
    const int64_t of_era = shifted - era * 146097;
    const int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t march_month = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * march_month + 2) / 5 + 1);
    *month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static int64_t days_from_civil(int year, int month, int day) {
    const int64_t shifted = (int64_t)year - (month <= 2);
    const int64_t era = floor_div(shifted, 400);
    const int64_t year_of_era = shifted - era * 400;
    const int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    const int64_t of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    return era * 146097 + of_era - 719468;
}

static char *put_digits(char *at, int64_t value, int width) {
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + width;
}

/* Nanoseconds after the full second. */
static int64_t fraction_of(int64_t time_ns) {
    const int64_t rest = time_ns % IR_SECOND_NS;
    return rest < 0 ? rest + IR_SECOND_NS : rest;
}

/* Writes the time down to the full second; returns the end of the text. */
static char *put_seconds(char *at, int64_t time_ns) {
    const int64_t seconds = floor_div(time_ns, IR_SECOND_NS);
    const int64_t days = floor_div(seconds, 86400);
    const int64_t of_day = seconds - days * 86400;
    int year = 0;
    int month = 0;
    int day = 0;
    civil_from_days(days, &year, &month, &day);
    at = put_digits(at, year, 4);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    at = put_digits(at, day, 2);
    *at++ = 'T';
    at = put_digits(at, of_day / 3600, 2);
    *at++ = ':';
    at = put_digits(at, of_day / 60 % 60, 2);
    *at++ = ':';
    return put_digits(at, of_day % 60, 2);
}

size_t ir_clock_format_fixed(int64_t time_ns, int digits, char text[static IR_TIME_SIZE]) {
    int64_t fraction = fraction_of(time_ns);
    char *at = put_seconds(text, time_ns);
    for (int i = digits; i < 9; i++) {
        fraction /= 10;
    }
    if (digits > 0) {
        *at++ = '.';
        at = put_digits(at, fraction, digits);
    }
    *at++ = 'Z';
    *at = '\0';
    return (size_t)(at - text);
}

size_t ir_clock_format(int64_t time_ns, char text[static IR_TIME_SIZE]) {
    int digits = fraction_of(time_ns) > 0 ? 9 : 0;
    for (int64_t fraction = fraction_of(time_ns); digits > 0 && fraction % 10 == 0; digits--) {
        fraction /= 10;
    }
    return ir_clock_format_fixed(time_ns, digits, text);
}

/* Reads exactly `width` digits. */
static bool get_digits(ir_view_t text, size_t *at, int width, int *value) {
    int number = 0;
    for (int i = 0; i < width; i++, (*at)++) {
        if (*at >= text.size || text.data[*at] < '0' || text.data[*at] > '9') {
            return false;
        }
        number = number * 10 + (text.data[*at] - '0');
    }
    *value = number;
    return true;
}

static bool get_char(ir_view_t text, size_t *at, const char *among) {
    for (const char *c = among; *c != '\0'; c++) {
        if (*at < text.size && text.data[*at] == *c) {
            (*at)++;
            return true;
        }
    }
    return false;
}

static bool get_fraction(ir_view_t text, size_t *at, int64_t *fraction) {
    *fraction = 0;
    if (!get_char(text, at, ".")) {
        return true;
    }
    int64_t unit = IR_SECOND_NS / 10;
    int digit = 0;
    size_t digits = 0;
    while (get_digits(text, at, 1, &digit)) {
        *fraction += digit * unit;
        unit /= 10;
        digits++;
    }
    return digits >= 1 && digits <= 9;
}

static bool get_offset(ir_view_t text, size_t *at, int64_t *seconds) {
    *seconds = 0;
    if (get_char(text, at, "Zz")) {
        return true;
    }
    const bool east = *at < text.size && text.data[*at] == '+';
    int hours = 0;
    int minutes = 0;
    if (!get_char(text, at, "+-") || !get_digits(text, at, 2, &hours) || !get_char(text, at, ":") ||
        !get_digits(text, at, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    *seconds = (east ? 1 : -1) * (hours * 3600 + minutes * 60);
    return true;
}

static int days_in_month(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

bool ir_clock_parse(ir_view_t text, int64_t *time_ns) {
    size_t at = 0;
    int year = 0;
    int month = 0;
    int day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    int64_t fraction = 0;
    int64_t offset = 0;
    const bool shaped = get_digits(text, &at, 4, &year) && get_char(text, &at, "-") &&
                        get_digits(text, &at, 2, &month) && get_char(text, &at, "-") &&
                        get_digits(text, &at, 2, &day) && get_char(text, &at, "Tt ") &&
                        get_digits(text, &at, 2, &hour) && get_char(text, &at, ":") &&
                        get_digits(text, &at, 2, &minute) && get_char(text, &at, ":") &&
                        get_digits(text, &at, 2, &second) && get_fraction(text, &at, &fraction) &&
                        get_offset(text, &at, &offset) && at == text.size;
    if (!shaped || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
        hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    const int64_t seconds =
        days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    const __int128 scaled = (__int128)seconds * IR_SECOND_NS + fraction;
    if (scaled > INT64_MAX || scaled < INT64_MIN) {
        return false;
    }
    *time_ns = (int64_t)scaled;
    return true;
}

static int iso_week(int year, int day_of_year, int weekday) {
    const int week = (day_of_year - weekday + 10) / 7;
    if (week >= 1 && week <= 52) {
        return week;
    }
    /* The first days of a year may belong to the last week of the year before; the last days may
     * belong to week 1 of the next year. */
    const int64_t first = days_from_civil(week < 1 ? year - 1 : year, 1, 1);
    const int64_t next = days_from_civil(week < 1 ? year : year + 1, 1, 1);
    const int first_weekday = (int)(((first + 3) % 7 + 7) % 7 + 1);
    const int last_weekday = (int)(((next + 2) % 7 + 7) % 7 + 1);
    const bool long_year = first_weekday == 4 || last_weekday == 4;
    if (week < 1) {
        return long_year ? 53 : 52;
    }
    return long_year ? 53 : 1;
}

ir_date_t ir_clock_date(int64_t time_ns) {
    const int64_t days = floor_div(time_ns, 86400 * IR_SECOND_NS);
    ir_date_t date;
    civil_from_days(days, &date.year, &date.month, &date.day);
    date.day_of_year = (int)(days - days_from_civil(date.year, 1, 1)) + 1;
    date.weekday = (int)(((days + 3) % 7 + 7) % 7 + 1);
    date.week = iso_week(date.year, date.day_of_year, date.weekday);
    return date;
}
