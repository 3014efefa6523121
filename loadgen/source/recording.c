#include "loadgen/source/recording.h"

#include "broker/topology.h"
#include "common/arena.h"
#include "common/clock.h"
#include "common/number.h"
#include "loadgen/source/replay.h"
#include "observation/senml/senml.h"
#include "observation/senml/writer.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_CHUNK (256 * 1024)
/* With --pace, a gap in which no station has data is shortened to this. */
#define SILENCE_NS (3600 * IR_SECOND_NS)
#define RELATIVE_AGE_S 600

/* The fields by which a row is the same, apart from its time. */
typedef struct ir_row_text {
    ir_view_t name;
    ir_view_t value;
} ir_row_text_t;

/* One message of a repetition. Its body consists of head, time and tail. */
typedef struct ir_frame {
    size_t head, head_size, tail_size; /* they are in `text`, one after the other */
    size_t first_row;
    size_t n_rows;
    int64_t due_ns; /* time after the first message */
} ir_frame_t;

typedef struct ir_recording {
    ir_replay_t *replay;
    const ir_replay_row_t *rows;
    size_t n_rows;
    int64_t step_ns;
    int64_t repeat;
    const ir_pack_writer_t *writer;
    ir_arena_t *arena;
    ir_row_text_t *row_texts;
    ir_view_t *routing_keys; /* by mote */
    ir_buffer_t text;
    ir_buffer_t label; /* label of the record that is being written */
    ir_frame_t *frames;
    size_t n_frames;
    size_t records_max;
    ir_timings_t timings;
    uint64_t seed;
    uint64_t run; /* for names */
} ir_recording_t;

/* ---- making ---- */

static size_t rows_of_message(const ir_replay_row_t *rows, size_t count, bool single) {
    size_t n = 1;
    while (!single && n < count && rows[n].mote == rows[0].mote &&
           rows[n].time_ns == rows[0].time_ns) {
        n++;
    }
    return n;
}

static void write_record(ir_recording_t *recording, const ir_replay_row_t *row, bool first) {
    char value[IR_NUMBER_SIZE];
    ir_buffer_t *label = &recording->label;
    ir_buffer_clear(label);
    recording->writer->label(label, row->parameter, row->unit);
    recording->text.failed = recording->text.failed || !ir_buffer_ok(label);
    const ir_pack_record_t record = {.label = ir_buffer_view(label),
                                     .text = ir_view(value, ir_number_format(row->value, value)),
                                     .value = row->value};
    recording->writer->record(&recording->text, &record, first);
}

static void write_frame(ir_recording_t *recording, ir_frame_t *frame) {
    const ir_pack_writer_t *writer = recording->writer;
    const ir_replay_row_t *rows = &recording->rows[frame->first_row];
    ir_buffer_t *text = &recording->text;
    frame->head = text->size;
    writer->head(
        text, &(ir_pack_head_t){.mote = ir_view_text(rows->station), .n_records = frame->n_rows});
    frame->head_size = text->size - frame->head;
    for (size_t i = 0; i < frame->n_rows; i++) {
        write_record(recording, &rows[i], i == 0);
    }
    writer->tail(text);
    frame->tail_size = text->size - frame->head - frame->head_size;
}

static int64_t due_after(const ir_recording_t *recording, const ir_frame_t *before, size_t row) {
    const int64_t gap_ns =
        recording->rows[row].time_ns - recording->rows[before->first_row].time_ns;
    return before->due_ns + (gap_ns < SILENCE_NS ? gap_ns : SILENCE_NS);
}

static bool write_frames(ir_recording_t *recording, bool single) {
    for (size_t row = 0; row < recording->n_rows;) {
        ir_frame_t *frame = &recording->frames[recording->n_frames++];
        frame->first_row = row;
        frame->n_rows = rows_of_message(&recording->rows[row], recording->n_rows - row, single);
        frame->due_ns = row > 0 ? due_after(recording, frame - 1, row) : 0;
        recording->records_max =
            frame->n_rows > recording->records_max ? frame->n_rows : recording->records_max;
        write_frame(recording, frame);
        row += frame->n_rows;
    }
    return ir_buffer_ok(&recording->text);
}

static bool write_row_texts(ir_recording_t *recording) {
    for (size_t i = 0; i < recording->n_rows; i++) {
        const ir_replay_row_t *row = &recording->rows[i];
        ir_row_text_t *text = &recording->row_texts[i];
        char name[IR_NAME_SIZE_MAX + 1];
        char *at = stpcpy(stpcpy(stpcpy(name, row->station), "/"), row->parameter);
        char value[IR_NUMBER_SIZE];
        const size_t value_size = ir_number_format(row->value, value);
        text->name = ir_arena_copy(recording->arena, ir_view(name, (size_t)(at - name)));
        text->value = ir_arena_copy(recording->arena, ir_view(value, value_size));
        if (text->name.data == NULL || text->value.data == NULL) {
            return false;
        }
    }
    return true;
}

static bool write_routing_keys(ir_recording_t *recording) {
    for (size_t i = 0; i < recording->n_rows; i++) {
        ir_view_t *key = &recording->routing_keys[recording->rows[i].mote];
        if (key->data != NULL) {
            continue;
        }
        char text[sizeof IR_ROUTING_PREFIX + IR_NAME_SIZE_MAX];
        char *at = stpcpy(stpcpy(text, IR_ROUTING_PREFIX), recording->rows[i].station);
        *key = ir_arena_copy(recording->arena, ir_view(text, (size_t)(at - text)));
        if (key->data == NULL) {
            return false;
        }
    }
    return true;
}

static bool render(ir_recording_t *recording, bool single) {
    const size_t n_rows = recording->n_rows;
    recording->arena = ir_arena_new(ARENA_CHUNK);
    recording->row_texts = calloc(n_rows, sizeof recording->row_texts[0]);
    recording->routing_keys =
        calloc(ir_replay_motes(recording->replay), sizeof recording->routing_keys[0]);
    recording->frames = calloc(n_rows, sizeof recording->frames[0]);
    return recording->arena != NULL && recording->row_texts != NULL &&
           recording->routing_keys != NULL && recording->frames != NULL &&
           write_frames(recording, single) && write_row_texts(recording) &&
           write_routing_keys(recording);
}

static void free_recording(void *object) {
    ir_recording_t *recording = object;
    if (recording != NULL) {
        ir_arena_free(recording->arena);
        ir_buffer_free(&recording->text);
        ir_buffer_free(&recording->label);
        free(recording->row_texts);
        free(recording->routing_keys);
        free(recording->frames);
        ir_replay_free(recording->replay);
        free(recording);
    }
}

/* ---- reading ---- */

static const ir_frame_t *frame_of(const ir_recording_t *recording, uint64_t number) {
    return &recording->frames[number % recording->n_frames];
}

static int64_t time_of(const ir_recording_t *recording, uint64_t number) {
    const int64_t repetition = (int64_t)(number / recording->n_frames);
    return recording->rows[frame_of(recording, number)->first_row].time_ns -
           (recording->repeat - 1 - repetition) * recording->step_ns;
}

static int64_t due_of(const ir_recording_t *recording, uint64_t number) {
    const ir_frame_t *last = &recording->frames[recording->n_frames - 1];
    const int64_t repetition = (int64_t)(number / recording->n_frames);
    return repetition * (last->due_ns + SILENCE_NS) + frame_of(recording, number)->due_ns;
}

static void timed_of(const ir_recording_t *recording, uint64_t number, ir_timed_t *timed) {
    static const ir_faults_t none;
    ir_faults_timed(&recording->timings, &none, recording->seed, number, timed);
}

static ir_view_t mote_of(const void *object, unsigned mote_number) {
    const ir_recording_t *recording = object;
    const ir_view_t key = recording->routing_keys[mote_number];
    const size_t prefix = strlen(IR_ROUTING_PREFIX);
    return ir_view(key.data + prefix, key.size - prefix);
}

static void get(const void *object, uint64_t number, ir_source_message_t *message) {
    const ir_recording_t *recording = object;
    const ir_frame_t *frame = frame_of(recording, number);
    const unsigned mote = recording->rows[frame->first_row].mote;
    *message = (ir_source_message_t){.mote = mote_of(recording, mote),
                                     .routing_key = recording->routing_keys[mote],
                                     .mote_number = mote,
                                     .n_records = frame->n_rows,
                                     .n_accepted = frame->n_rows,
                                     .original = number,
                                     .time_ns = time_of(recording, number),
                                     .due_ns = due_of(recording, number)};
    timed_of(recording, number, &message->timed);
    if (message->timed.named) {
        ir_source_make_name(recording->run, number, message->name);
    }
}

/* Writes head and time of a pack whose times are relative to its arrival. */
static void write_timed(const ir_recording_t *recording, uint64_t number, const ir_timed_t *timed,
                        ir_buffer_t *out) {
    const ir_frame_t *frame = frame_of(recording, number);
    const ir_replay_row_t *row = &recording->rows[frame->first_row];
    const bool timeless = timed->timing == IR_TIMING_CLOCKLESS;
    recording->writer->head(out, &(ir_pack_head_t){.mote = ir_view_text(row->station),
                                                   .n_records = frame->n_rows,
                                                   .timeless = timeless,
                                                   .numbered = true,
                                                   .sequence = number});
    if (!timeless) {
        recording->writer->time(out, -(int64_t)(number % RELATIVE_AGE_S) * IR_SECOND_NS);
    }
}

static void body(const void *object, uint64_t number, ir_buffer_t *out) {
    const ir_recording_t *recording = object;
    const ir_frame_t *frame = frame_of(recording, number);
    const char *head = recording->text.data + frame->head;
    ir_timed_t timed;
    timed_of(recording, number, &timed);
    if (timed.timing == IR_TIMING_ABSOLUTE) {
        ir_buffer_append(out, head, frame->head_size);
        recording->writer->time(out, time_of(recording, number));
    } else {
        write_timed(recording, number, &timed, out);
    }
    ir_buffer_append(out, head + frame->head_size, frame->tail_size);
}

static void ids_of(const void *object, uint64_t number, ir_id_t *ids) {
    const ir_recording_t *recording = object;
    const ir_frame_t *frame = frame_of(recording, number);
    const int64_t time_ns = time_of(recording, number);
    for (size_t i = 0; i < frame->n_rows; i++) {
        const ir_row_text_t *row = &recording->row_texts[frame->first_row + i];
        ir_id_observation_number(row->name, time_ns, row->value, &ids[i]);
    }
}

static const ir_source_kind_t kind = {.name = "replay",
                                      .get = get,
                                      .body = body,
                                      .ids = ids_of,
                                      .mote = mote_of,
                                      .free = free_recording};

/* ---- opening ---- */

static void count(const ir_recording_t *recording, uint64_t limit, ir_source_t *source) {
    source->messages = recording->n_frames * (uint64_t)recording->repeat;
    source->observations = recording->n_rows * (uint64_t)recording->repeat;
    if (limit == 0 || limit >= source->messages) {
        return;
    }
    source->messages = limit;
    source->observations = limit / recording->n_frames * recording->n_rows;
    for (uint64_t i = 0; i < limit % recording->n_frames; i++) {
        source->observations += recording->frames[i].n_rows;
    }
}

static ir_status_t check_repeat(const ir_replay_t *replay, int64_t repeat, ir_error_t *error) {
    const int64_t repeats = ir_replay_repeats(replay);
    if (repeat >= 1 && repeat <= repeats) {
        return IR_OK;
    }
    return ir_error_set(error, IR_ERR_USAGE,
                        "repeat: %lld is not within 1 … %lld: each repetition is %lld days before "
                        "the next, and SenML's absolute times begin in 1978",
                        (long long)repeat, (long long)repeats,
                        (long long)(ir_replay_step(replay) / (86400 * IR_SECOND_NS)));
}

/* On success the recording owns `replay`. */
static ir_recording_t *make(ir_replay_t *replay, const ir_source_options_t *options) {
    ir_recording_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    made->rows = ir_replay_rows(replay, &made->n_rows);
    made->step_ns = ir_replay_step(replay);
    made->repeat = options->repeat;
    made->writer = ir_pack_writer(options->format);
    made->seed = options->seed;
    made->run = ir_source_make_run();
    made->timings = options->timings;
    made->timings.repeated = 0;
    ir_buffer_init(&made->text);
    ir_buffer_init(&made->label);
    made->replay = replay;
    if (!render(made, options->single_records)) {
        made->replay = NULL;
        free_recording(made);
        return NULL;
    }
    return made;
}

ir_status_t ir_recording_open(const ir_source_options_t *options, ir_source_t *source,
                              ir_error_t *error) {
    ir_replay_t *replay = NULL;
    ir_recording_t *made = NULL;
    ir_status_t status = ir_replay_load(options->replay, &replay, error);
    if (status == IR_OK) {
        status = check_repeat(replay, options->repeat, error);
    }
    if (status == IR_OK && (made = make(replay, options)) == NULL) {
        status = ir_error_set(error, IR_ERR_MEMORY, "out of memory for the messages of the replay");
    }
    if (status != IR_OK) {
        ir_replay_free(replay);
        return status;
    }
    *source = (ir_source_t){.kind = &kind,
                            .object = made,
                            .records_max = made->records_max,
                            .motes = ir_replay_motes(replay),
                            .content_type = made->writer->content_type};
    count(made, options->messages, source);
    return IR_OK;
}
