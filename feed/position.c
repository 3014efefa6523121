#include "feed/position.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_MAX 1000

/* ---- keys ---- */

/* From here on, keys say where the data come from; they do not affect how rows are read. */
#define WHERE "files"

#define FIELD(member) offsetof(ir_position_t, member)

static const ir_setting_t position_settings[] = {
    {"format", 0, IR_SETTING_CHOICE, "WORD", IR_INPUT_FORMATS, 0, 0, "csv", FIELD(kind),
     "Format of the files."},
    {"encoding", 0, IR_SETTING_TEXT, "NAME", NULL, 0, 0, "utf-8", FIELD(encoding),
     "Encoding of the files."},
    {"separator", 0, IR_SETTING_CHOICE, "WORD", "comma|semicolon|tab|space|pipe", 0, 0, "comma",
     FIELD(separator), "For csv: the separator of fields."},
    {"quote", 0, IR_SETTING_CHOICE, "WORD", "double|single|none", 0, 0, "double", FIELD(quote),
     "For csv: the quotes around fields that contain separators."},
    {"decimal", 0, IR_SETTING_CHOICE, "WORD", IR_DECIMALS, 0, 0, "point", FIELD(decimal),
     "The decimal sign."},
    {"thousands", 0, IR_SETTING_CHOICE, "WORD", IR_THOUSANDS, 0, 0, "none", FIELD(thousands),
     "The sign between groups of three digits."},
    {"header", 0, IR_SETTING_INTEGER, "N", NULL, 0, HEADER_MAX, "1", FIELD(header),
     "For csv: the row with the columns' names; 0: none, columns are named 1, 2, …"},
    {"after-header", 0, IR_SETTING_INTEGER, "N", NULL, 0, HEADER_MAX, "0", FIELD(after_header),
     "For csv: rows after the header that are not data, such as a row of units; they are skipped."},
    {"comment", 0, IR_SETTING_TEXT, "CHARACTER", NULL, 0, 0, NULL, FIELD(comment),
     "For csv: rows that begin with it are skipped; semicolon means ;."},
    {"time", 0, IR_SETTING_TEXT, "COLUMN", NULL, 0, 0, NULL, FIELD(time), "The time."},
    {"time-of-day", 0, IR_SETTING_TEXT, "COLUMN", NULL, 0, 0, NULL, FIELD(time_of_day),
     "Column with the time of day, if it is separate; it is appended to `time` after a space."},
    {"time-format", 0, IR_SETTING_TEXT, "FORMAT", NULL, 0, 0, "iso", FIELD(time_format),
     "iso, unix, unix-ms, or a format of strptime."},
    {"zone", 0, IR_SETTING_TEXT, "ZONE", NULL, 0, 0, NULL, FIELD(zone),
     "Zone of times that give none: a name, an offset, or column:NAME."},
    {"missing", 0, IR_SETTING_TEXT, "LIST", NULL, 0, 0, NULL, FIELD(missing),
     "Texts that mean a missing value, separated by commas; an empty field is always missing."},
    {"mote", 0, IR_SETTING_TEXT, "MOTE", NULL, 0, 0, NULL, FIELD(mote),
     "The mote, or column:NAME."},
    {"mote-prefix", 0, IR_SETTING_TEXT, "TEXT", NULL, 0, 0, NULL, FIELD(mote_prefix),
     "Prefix for the text in the column."},
    {"files", 0, IR_SETTING_TEXT, "PATTERNS", NULL, 0, 0, NULL, FIELD(files),
     "Files, separated by commas; * and ? as in the shell; - is standard input."},
    {"subscribe", 0, IR_SETTING_URI, "URI", NULL, 0, 0, NULL, FIELD(subscribe),
     "For uplinks: the network's MQTT broker, mqtt(s)://USER:PASSWORD@HOST."},
    {"topic", 0, IR_SETTING_TEXT, "FILTER", NULL, 0, 0, NULL, FIELD(topic),
     "Topic filter to subscribe to; empty: all devices' uplinks."},
    {"client-id", 0, IR_SETTING_TEXT, "TEXT", NULL, 0, 0, NULL, FIELD(client_id),
     "Identifies the session to the broker; empty: ir-feed-POSITION."},
    {"ca", 0, IR_SETTING_TEXT, "FILE", NULL, 0, 0, NULL, FIELD(ca),
     "Certificate authority for the broker; empty: the system's."},
};

static const ir_setting_t value_settings[] = {
    {"sensor", 0, IR_SETTING_TEXT, "NAME", NULL, 0, 0, NULL, offsetof(ir_position_value_t, sensor),
     "Full name of the sensor; /NAME: the mote, / and NAME; column:NAME: the mote, / and the value "
     "of the column."},
    {"unit", 0, IR_SETTING_TEXT, "UNIT", NULL, 0, 0, NULL, offsetof(ir_position_value_t, unit),
     "Unit of the column; empty: the registered one."},
};

const ir_program_t ir_position_keys = {
    .name = "POSITION",
    .settings = position_settings,
    .n_settings = sizeof position_settings / sizeof position_settings[0],
};
const ir_program_t ir_value_keys = {
    .name = "POSITION:COLUMN",
    .settings = value_settings,
    .n_settings = sizeof value_settings / sizeof value_settings[0],
};

/* ---- missing values ---- */

/* Returns the next word of the list, from *at on; its size is 0 at the end. */
static ir_view_t next_missing(const char **at) {
    *at += strspn(*at, " \t,");
    const char *word = *at;
    size_t size = strcspn(word, ",");
    *at += size;
    while (size > 0 && (word[size - 1] == ' ' || word[size - 1] == '\t')) {
        size--;
    }
    return ir_view(word, size);
}

bool ir_position_misses(const ir_position_t *position, ir_view_t text) {
    const char *at = position->missing != NULL ? position->missing : "";
    for (ir_view_t word = next_missing(&at); word.size > 0; word = next_missing(&at)) {
        if (ir_view_equal(word, text)) {
            return true;
        }
    }
    return text.size == 0;
}

bool ir_position_misses_number(const ir_position_t *position, double number) {
    const char *at = position->missing != NULL ? position->missing : "";
    for (ir_view_t word = next_missing(&at); word.size > 0; word = next_missing(&at)) {
        char *end = NULL;
        const double missing = strtod(word.data, &end);
        if (end == word.data + word.size && missing == number) {
            return true;
        }
    }
    return false;
}

/* ---- keys that affect packs ---- */

static void describe(const ir_program_t *keys, const void *target, ir_buffer_t *out) {
    for (size_t i = 0; i < keys->n_settings && strcmp(keys->settings[i].name, WHERE) != 0; i++) {
        const char *field = (const char *)target + keys->settings[i].offset;
        ir_buffer_append_char(out, '\n');
        if (keys->settings[i].type == IR_SETTING_TEXT) {
            ir_buffer_append_view(out, ir_view_text(*(char *const *)(const void *)field));
        } else if (keys->settings[i].type == IR_SETTING_INTEGER) {
            ir_buffer_append_int(out, *(const int64_t *)(const void *)field);
        } else {
            ir_buffer_append_int(out, *(const int *)(const void *)field);
        }
    }
}

void ir_position_describe(const ir_position_t *position, ir_buffer_t *out) {
    describe(&ir_position_keys, position, out);
    for (size_t i = 0; i < position->n_values; i++) {
        ir_buffer_append_char(out, '\n');
        ir_buffer_append_text(out, position->values[i].column);
        describe(&ir_value_keys, &position->values[i], out);
    }
}
