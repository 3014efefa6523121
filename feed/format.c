#include "feed/format.h"

#include "feed/uplink_kind.h"

static const ir_input_format_t formats[] = {
    [IR_INPUT_CSV] = {.name = "csv", .dialect = {.separator = ',', .quote = '"'}},
    [IR_INPUT_TOA5] = {.name = "toa5",
                       .dialect = {.separator = ',', .quote = '"'},
                       .head_rows = 4,
                       .name_row = 2,
                       .first = "TOA5",
                       .time = "TIMESTAMP"},
    [IR_INPUT_RDB] = {.name = "rdb",
                      .dialect = {.separator = '\t'},
                      .comment = '#',
                      .head_rows = 2,
                      .name_row = 1,
                      .time = "datetime",
                      .zone = "column:tz_cd"},
    [IR_INPUT_TTS] = {.name = "tts", .dialect = {.separator = '\n'}, .uplink = &ir_uplink_tts},
    [IR_INPUT_CHIRPSTACK] = {.name = "chirpstack",
                             .dialect = {.separator = '\n'},
                             .uplink = &ir_uplink_chirpstack},
};

const ir_input_format_t *ir_input_format(ir_input_kind_t kind) {
    return &formats[kind];
}
