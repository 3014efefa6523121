#include "tap/show.h"

#include "common/clock.h"
#include "common/legible.h"
#include "tap/item.h"

#include <inttypes.h>
#include <string.h>

#define TEXT_SIZE 512

bool ir_listed(const char *list, ir_view_t name) {
    const char *word = ir_setting_text(list);
    if (word == NULL) {
        return true;
    }
    for (;; word++) {
        const size_t size = strcspn(word, ",");
        if (ir_view_equal(ir_view(word, size), name)) {
            return true;
        }
        word += size;
        if (*word == '\0') {
            return false;
        }
    }
}

static bool is_full(const ir_show_t *show) {
    return show->options->limit > 0 && show->lines >= (uint64_t)show->options->limit;
}

static void put_line(ir_show_t *show) {
    if (ir_buffer_ok(&show->text)) {
        ir_printer_put(show->printer, ir_buffer_view(&show->text));
    }
    show->lines++;
    ir_buffer_clear(&show->text);
}

/* Writes a field of a JSON object, unless it is empty. */
static void put_field(ir_show_t *show, const char *name, ir_view_t value) {
    char text[TEXT_SIZE];
    if (value.size == 0) {
        return;
    }
    const size_t size = ir_legible_line(text, sizeof text, value);
    ir_buffer_append_format(&show->text, "%s\"%s\":", show->text.size > 1 ? "," : "", name);
    ir_buffer_append_json_string(&show->text, ir_view(text, size));
}

/* Writes a column of a readable line, with "-" for an unknown value. */
static void put_column(ir_show_t *show, ir_view_t value, int width) {
    char text[TEXT_SIZE] = "-";
    if (value.size > 0) {
        ir_legible_line(text, sizeof text, value);
    }
    ir_buffer_append_format(&show->text, "%s%-*s", show->text.size > 0 ? "  " : "", width, text);
}

/* ---- observations ---- */

static bool is_wanted(const ir_tap_options_t *options, const ir_item_t *item) {
    return ir_listed(options->property, ir_view_text(item->property)) &&
           ir_listed(options->quality, ir_view_text(item->quality));
}

static void write_item(ir_show_t *show, const ir_item_t *item) {
    if (show->options->json) {
        ir_buffer_append_char(&show->text, '{');
        put_field(show, "time", ir_view_text(item->time));
        put_field(show, "mote", show->mote);
        put_field(show, "format", show->format);
        put_field(show, "sensor", ir_view_text(item->sensor));
        put_field(show, "property", ir_view_text(item->property));
        put_field(show, "value", ir_view_text(item->value));
        put_field(show, "unit", ir_view_text(item->unit));
        put_field(show, "quality", ir_view_text(item->quality));
        put_field(show, "reasons", ir_view_text(item->reasons));
        ir_buffer_append_char(&show->text, '}');
        return;
    }
    const char *what = item->property[0] != '\0' ? item->property : item->sensor;
    put_column(show, ir_view_text(item->time), 20);
    put_column(show, show->mote, 16);
    put_column(show, show->format, 6);
    put_column(show, ir_view_text(what), 20);
    put_column(show, ir_view_text(item->value), 8);
    put_column(show, ir_view_text(item->unit), 6);
    put_column(show, ir_view_text(item->quality), 0);
    if (item->reasons[0] != '\0') {
        put_column(show, ir_view_text(item->reasons), 0);
    }
}

static void take_item(void *context, const ir_item_t *item) {
    ir_show_t *show = context;
    if (!is_wanted(show->options, item)) {
        return;
    }
    const ir_view_t quality = ir_view_text(item->quality);
    show->counts.observations++;
    show->counts.suspect += ir_view_equal(quality, ir_view_text("suspect"));
    show->counts.fail += ir_view_equal(quality, ir_view_text("fail"));
    if (!show->options->rate && !is_full(show)) {
        write_item(show, item);
        put_line(show);
    }
}

/* Shows a message whose format has no separate observations. */
static void write_whole(ir_show_t *show, uint64_t bytes) {
    char size[32];
    snprintf(size, sizeof size, "%" PRIu64, bytes);
    if (show->options->json) {
        ir_buffer_append_char(&show->text, '{');
        put_field(show, "mote", show->mote);
        put_field(show, "format", show->format);
        put_field(show, "bytes", ir_view_text(size));
        ir_buffer_append_char(&show->text, '}');
        return;
    }
    put_column(show, ir_view_text(""), 20);
    put_column(show, show->mote, 16);
    put_column(show, show->format, 6);
    ir_buffer_append_format(&show->text, "  %s bytes", size);
}

void ir_show_processed(ir_show_t *show, ir_view_t format, ir_view_t mote, ir_view_t body,
                       uint64_t bytes) {
    const ir_tap_options_t *options = show->options;
    const bool filters =
        ir_setting_text(options->property) != NULL || ir_setting_text(options->quality) != NULL;
    show->format = format;
    show->mote = mote;
    show->counts.messages++;
    show->counts.bytes += bytes;
    if (body.size > 0 && ir_items_read(format, body, take_item, show)) {
        return;
    }
    if (!filters && !options->rate && !is_full(show)) {
        write_whole(show, bytes);
        put_line(show);
    }
}

/* ---- rejections ---- */

void ir_show_rejected(ir_show_t *show, ir_view_t mote, ir_view_t reason, ir_view_t detail,
                      int64_t refused, uint64_t bytes) {
    char count[32];
    if (!ir_listed(show->options->reason, reason) || !ir_listed(show->options->mote, mote)) {
        return;
    }
    show->counts.rejected++;
    show->counts.bytes += bytes;
    if (show->options->rate || is_full(show)) {
        return;
    }
    snprintf(count, sizeof count, "%" PRId64, refused);
    if (show->options->json) {
        ir_buffer_append_char(&show->text, '{');
        put_field(show, "mote", mote);
        put_field(show, "rejected", reason);
        put_field(show, "detail", detail);
        ir_buffer_append_format(&show->text, ",\"refused\":%s}", count);
    } else {
        char now[IR_TIME_SIZE];
        ir_clock_format(ir_clock_now() / IR_SECOND_NS * IR_SECOND_NS, now);
        put_column(show, ir_view_text(now), 20);
        put_column(show, mote, 16);
        put_column(show, ir_view_text("rejected"), 6);
        put_column(show, reason, 0);
        put_column(show, detail, 0);
        ir_buffer_append_format(&show->text, refused > 1 ? " (the first of %s)" : "", count);
    }
    put_line(show);
}

/* ---- figures ---- */

void ir_show_rate(ir_show_t *show, double seconds, uint64_t missed) {
    const ir_tap_counts_t *c = &show->counts;
    const struct {
        const char *name;
        double value;
    } figures[] = {{"messages", (double)c->messages}, {"observations", (double)c->observations},
                   {"suspect", (double)c->suspect},   {"fail", (double)c->fail},
                   {"rejected", (double)c->rejected}, {"bytes", (double)c->bytes}};
    char now[IR_TIME_SIZE];
    ir_clock_format(ir_clock_now() / IR_SECOND_NS * IR_SECOND_NS, now);
    ir_buffer_append_format(&show->text, show->options->json ? "{\"time\":\"%s\"" : "%s", now);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        ir_buffer_append_format(&show->text,
                                show->options->json ? ",\"%s_per_s\":%.1f" : "  %s/s %.1f",
                                figures[i].name, figures[i].value / seconds);
    }
    ir_buffer_append_format(&show->text,
                            show->options->json ? ",\"missed\":%" PRIu64 "}" : "  missed %" PRIu64,
                            missed);
    put_line(show);
    show->counts = (ir_tap_counts_t){0};
}
