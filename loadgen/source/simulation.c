#include "loadgen/source/simulation.h"

#include "broker/topology.h"
#include "common/clock.h"
#include "common/number.h"
#include "loadgen/source/hash_random.h"
#include "loadgen/source/river.h"
#include "observation/senml/writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX_SIZE (sizeof IR_ROUTING_PREFIX - 1)
#define NAME_SIZE ((size_t)IR_SIMULATION_MOTE_SIZE - 1)
#define KEY_SIZE (PREFIX_SIZE + NAME_SIZE)
#define CODE_SIZE 5
#define SENSOR_SIZE (NAME_SIZE + 1 + CODE_SIZE)
#define EARLIEST_NS (268435456 * IR_SECOND_NS) /* SenML reads smaller times as relative */
#define YEARS_BACK 20
#define LIKELY_MARGIN 1.1
#define ROOM_DEVIATIONS                                                                            \
    8 /* allowance for Poisson arrivals: this many times the square root of their number */
#define ROOM_MESSAGES 32 /* extra room for small numbers */
#define YEAR_NS (INT64_C(31557600) * IR_SECOND_NS)
#define UNKNOWN_CODE "99999"
#define WRONG_VERSION 99
#define CUT_BYTES 3 /* cuts the end of a text or number */
#define RELATIVE_AGE_MS 600000

/* Key spaces under the seed. */
enum { KEY_WHICH = 32 };

typedef struct ir_simulation {
    ir_source_options_t options;
    const ir_pack_writer_t *writer;
    char *keys; /* routing keys, KEY_SIZE each */
    ir_buffer_t text;
    ir_view_t labels[IR_RIVER_QUANTITIES + 1]; /* in `text`; the last one is the unknown sensor's */
    int64_t start_ns;
    uint64_t run; /* for names */
} ir_simulation_t;

void ir_simulation_mote(unsigned mote, char name[static IR_SIMULATION_MOTE_SIZE]) {
    snprintf(name, IR_SIMULATION_MOTE_SIZE, "sim-%07u", mote);
}

/* ---- properties of a message ---- */

static void turn_of(const ir_simulation_t *simulation, uint64_t number, ir_turn_t *turn) {
    const ir_source_options_t *options = &simulation->options;
    ir_faults_turn(&options->faults, options->seed, options->simulate, number, turn);
}

/* A random number for choosing the details of a message's fault. */
static uint64_t choice_of(const ir_simulation_t *simulation, const ir_turn_t *turn) {
    return ir_hash_random_key(ir_hash_random_key(simulation->options.seed, KEY_WHICH),
                              turn->original);
}

/* A message that is refused completely is never duplicated, because the stores would keep it only
 * once. */
static void timed_of(const ir_simulation_t *simulation, const ir_turn_t *turn, ir_timed_t *timed) {
    const ir_source_options_t *options = &simulation->options;
    ir_faults_timed(&options->timings, &options->faults, options->seed, turn->original, timed);
    timed->repeated = timed->repeated && !(turn->faults & IR_FAULT_MALFORMED);
}

static size_t accepted(const ir_simulation_t *simulation, unsigned faults) {
    const size_t records = simulation->options.records;
    return faults & IR_FAULT_MALFORMED ? 0 : faults & IR_FAULT_UNKNOWN ? records - 1 : records;
}

static int64_t due_of(const ir_source_options_t *options, uint64_t number) {
    return (int64_t)((__int128)number * options->records * options->interval_ns /
                     ((__int128)IR_RIVER_QUANTITIES * options->simulate));
}

static ir_view_t key_of(const ir_simulation_t *simulation, unsigned mote) {
    return ir_view(simulation->keys + mote * KEY_SIZE, KEY_SIZE);
}

static ir_view_t mote_of(const void *object, unsigned mote) {
    return ir_view(key_of(object, mote).data + PREFIX_SIZE, NAME_SIZE);
}

/* Returns the index, among the mote's times, of the message's first record. */
static uint64_t first_tick(const ir_simulation_t *simulation, const ir_turn_t *turn) {
    return turn->round * simulation->options.records / IR_RIVER_QUANTITIES;
}

static int64_t measured_at(const ir_simulation_t *simulation, const ir_turn_t *turn,
                           uint64_t tick) {
    const ir_source_options_t *options = &simulation->options;
    const int64_t phase_ms =
        options->interval_ns / IR_MILLISECOND_NS * turn->mote / options->simulate;
    return simulation->start_ns + (int64_t)tick * options->interval_ns +
           phase_ms * IR_MILLISECOND_NS;
}

/* Returns by how much the mote's clock is ahead. */
static int64_t skew_of(const ir_simulation_t *simulation, const ir_turn_t *turn) {
    const ir_source_options_t *options = &simulation->options;
    return ir_faults_skew(&options->faults, options->seed, turn->mote);
}

static void get(const void *object, uint64_t number, ir_source_message_t *message) {
    const ir_simulation_t *simulation = object;
    ir_turn_t turn;
    turn_of(simulation, number, &turn);
    *message = (ir_source_message_t){
        .mote = mote_of(simulation, turn.mote),
        .routing_key = key_of(simulation, turn.mote),
        .mote_number = turn.mote,
        .n_records = simulation->options.records,
        .n_accepted = accepted(simulation, turn.faults),
        .original = turn.original,
        .time_ns = measured_at(simulation, &turn, first_tick(simulation, &turn)) +
                   skew_of(simulation, &turn),
        .due_ns = due_of(&simulation->options, number),
        .faults = turn.faults,
    };
    timed_of(simulation, &turn, &message->timed);
    if (message->timed.named) {
        ir_source_make_name(simulation->run, turn.original, message->name);
    }
}

/* ---- the records of a message ---- */

typedef struct ir_walk {
    const ir_simulation_t *simulation;
    ir_turn_t turn;
    ir_timed_t timed;
    unsigned at, unknown; /* indexes of the current record, and of the unknown sensor's (none: the
                             number of records) */
    uint64_t tick;        /* index of the mote's time */
    int64_t time_ns;      /* the true time, not the mote's clock */
    int64_t skew_ns;
    unsigned quantity;
    ir_river_moment_t moment;
    int64_t units; /* the value, see river.h */
    char text[IR_NUMBER_SIZE];
    size_t text_size;
} ir_walk_t;

static void load_moment(ir_walk_t *walk) {
    walk->time_ns = measured_at(walk->simulation, &walk->turn, walk->tick);
    ir_river_moment(walk->simulation->options.seed, walk->turn.mote, walk->time_ns, &walk->moment);
}

static void measure(ir_walk_t *walk) {
    walk->units = ir_river_value(&walk->moment, walk->quantity);
    walk->text_size = ir_number_format_decimal(
        walk->units, ir_river_quantities[walk->quantity].decimals, walk->text);
}

static void begin(const ir_simulation_t *simulation, uint64_t number, ir_walk_t *walk) {
    const unsigned records = simulation->options.records;
    walk->simulation = simulation;
    turn_of(simulation, number, &walk->turn);
    walk->at = 0;
    walk->unknown = walk->turn.faults & IR_FAULT_UNKNOWN
                        ? (unsigned)(choice_of(simulation, &walk->turn) % records)
                        : records;
    timed_of(simulation, &walk->turn, &walk->timed);
    if (walk->timed.repeated) {
        walk->turn.round = 0; /* always the mote's first reading */
    }
    walk->tick = first_tick(simulation, &walk->turn);
    walk->quantity = (unsigned)(walk->turn.round * records % IR_RIVER_QUANTITIES);
    walk->skew_ns = skew_of(simulation, &walk->turn);
    load_moment(walk);
    measure(walk);
}

/* False after the last one. */
static bool next(ir_walk_t *walk) {
    if (++walk->at == walk->simulation->options.records) {
        return false;
    }
    if (++walk->quantity == IR_RIVER_QUANTITIES) {
        walk->quantity = 0;
        walk->tick++;
        load_moment(walk);
    }
    measure(walk);
    return true;
}

/* ---- body ---- */

static void write_record(const ir_walk_t *walk, int64_t first_ns, ir_buffer_t *out) {
    static const double scales[] = {1, 10, 100, 1000, 10000};
    const unsigned label = walk->at == walk->unknown ? IR_RIVER_QUANTITIES : walk->quantity;
    const bool clockless = walk->timed.timing == IR_TIMING_CLOCKLESS;
    const ir_pack_record_t record = {
        .label = walk->simulation->labels[label],
        .text = ir_view(walk->text, walk->text_size),
        .value = (double)walk->units / scales[ir_river_quantities[walk->quantity].decimals],
        .after_s = clockless ? 0 : (uint64_t)(walk->time_ns - first_ns) / IR_SECOND_NS,
    };
    walk->simulation->writer->record(out, &record, walk->at == 0);
}

/* Returns the age of the first record when the pack is sent, such that the last record is not in
 * the future. */
static int64_t relative_time(const ir_simulation_t *simulation, const ir_walk_t *walk) {
    const unsigned records = simulation->options.records;
    const int64_t ticks = (walk->quantity + records - 1) / IR_RIVER_QUANTITIES;
    const int64_t age_ms = (int64_t)(choice_of(simulation, &walk->turn) % RELATIVE_AGE_MS);
    return -(ticks * simulation->options.interval_ns + age_ms * IR_MILLISECOND_NS);
}

static void write_time(const ir_simulation_t *simulation, const ir_walk_t *walk, ir_buffer_t *out) {
    if (walk->timed.timing == IR_TIMING_ABSOLUTE) {
        simulation->writer->time(out, walk->time_ns + walk->skew_ns);
    } else if (walk->timed.timing == IR_TIMING_RELATIVE) {
        simulation->writer->time(out, relative_time(simulation, walk));
    }
}

static void body(const void *object, uint64_t number, ir_buffer_t *out) {
    const ir_simulation_t *simulation = object;
    const ir_pack_writer_t *writer = simulation->writer;
    ir_walk_t walk;
    begin(simulation, number, &walk);
    const bool malformed = walk.turn.faults & IR_FAULT_MALFORMED;
    const bool cut = choice_of(simulation, &walk.turn) & 1;
    const int64_t first_ns = walk.time_ns;
    writer->head(out, &(ir_pack_head_t){.mote = mote_of(simulation, walk.turn.mote),
                                        .n_records = simulation->options.records,
                                        .version = malformed && !cut ? WRONG_VERSION : 0,
                                        .timeless = walk.timed.timing == IR_TIMING_CLOCKLESS,
                                        .numbered = walk.timed.timing != IR_TIMING_ABSOLUTE &&
                                                    !walk.timed.repeated,
                                        .sequence = walk.turn.original});
    write_time(simulation, &walk, out);
    do {
        write_record(&walk, first_ns, out);
    } while (next(&walk));
    writer->tail(out);
    if (malformed && cut && ir_buffer_ok(out)) {
        out->size -= CUT_BYTES;
    }
}

/* ---- ids ---- */

static void ids_of(const void *object, uint64_t number, ir_id_t *ids) {
    const ir_simulation_t *simulation = object;
    ir_walk_t walk;
    char name[SENSOR_SIZE];
    begin(simulation, number, &walk);
    if (walk.turn.faults & IR_FAULT_MALFORMED) {
        return;
    }
    memcpy(name, mote_of(simulation, walk.turn.mote).data, NAME_SIZE);
    name[NAME_SIZE] = '/';
    do {
        if (walk.at == walk.unknown) {
            continue;
        }
        memcpy(name + NAME_SIZE + 1, ir_river_quantities[walk.quantity].code, CODE_SIZE);
        ir_id_observation_number(ir_view(name, sizeof name), walk.time_ns + walk.skew_ns,
                                 ir_view(walk.text, walk.text_size), ids++);
    } while (next(&walk));
}

/* ---- opening ---- */

static void free_simulation(void *object) {
    ir_simulation_t *simulation = object;
    if (simulation != NULL) {
        ir_buffer_free(&simulation->text);
        free(simulation->keys);
        free(simulation);
    }
}

static const ir_source_kind_t kind = {.name = "simulation",
                                      .get = get,
                                      .body = body,
                                      .ids = ids_of,
                                      .mote = mote_of,
                                      .free = free_simulation};

static bool make_keys(ir_simulation_t *simulation) {
    const size_t motes = simulation->options.simulate;
    simulation->keys = malloc(motes * KEY_SIZE + 1);
    for (unsigned i = 0; simulation->keys != NULL && i < motes; i++) {
        char name[IR_SIMULATION_MOTE_SIZE];
        char *key = simulation->keys + i * KEY_SIZE;
        ir_simulation_mote(i, name);
        memcpy(mempcpy(key, IR_ROUTING_PREFIX, PREFIX_SIZE), name, NAME_SIZE);
    }
    return simulation->keys != NULL;
}

static bool make_labels(ir_simulation_t *simulation) {
    size_t ends[IR_RIVER_QUANTITIES + 1];
    ir_buffer_t *text = &simulation->text;
    ir_buffer_init(text);
    for (unsigned i = 0; i <= IR_RIVER_QUANTITIES; i++) {
        const ir_river_quantity_t *quantity = &ir_river_quantities[i % IR_RIVER_QUANTITIES];
        simulation->writer->label(text, i < IR_RIVER_QUANTITIES ? quantity->code : UNKNOWN_CODE,
                                  quantity->unit);
        ends[i] = text->size;
    }
    for (unsigned i = 0; i <= IR_RIVER_QUANTITIES && ir_buffer_ok(text); i++) {
        const size_t begins = i > 0 ? ends[i - 1] : 0;
        simulation->labels[i] = ir_view(text->data + begins, ends[i] - begins);
    }
    return ir_buffer_ok(text);
}

static ir_simulation_t *make(const ir_source_options_t *options, int64_t start_ns) {
    ir_simulation_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    made->options = *options;
    made->writer = ir_pack_writer(options->format);
    made->start_ns = start_ns;
    made->run = ir_source_make_run();
    if (!make_labels(made) || !make_keys(made)) {
        free_simulation(made);
        return NULL;
    }
    return made;
}

/* ---- times ---- */

/* Returns by how much a message's newest record may be newer than the time when the message is
 * due. */
static int64_t lead_of(const ir_source_options_t *options) {
    const int64_t records = options->records;
    const int64_t ticks =
        (ir_faults_shift(&options->faults) * records + records - 1) / IR_RIVER_QUANTITIES;
    return (ticks + (records % IR_RIVER_QUANTITIES != 0)) * options->interval_ns;
}

static bool as_recorded(const ir_source_options_t *options) {
    return options->pace > 0 && options->pace <= 1;
}

/* Returns the number of messages for which the data must last; 0: unknown. */
static double messages_of(const ir_source_options_t *options) {
    if (options->messages > 0 || options->likely <= 0) {
        return (double)options->messages;
    }
    return options->likely * LIKELY_MARGIN + ROOM_DEVIATIONS * sqrt(options->likely) +
           ROOM_MESSAGES;
}

/* Returns how long before their latest time the data begin. */
static double back_of(const ir_source_options_t *options) {
    const double messages = messages_of(options);
    if (as_recorded(options)) {
        return 0;
    }
    if (messages == 0) {
        return YEARS_BACK * (double)YEAR_NS;
    }
    const double span_ns = messages * options->records * (double)options->interval_ns /
                           ((double)IR_RIVER_QUANTITIES * options->simulate);
    return options->pace > 0 ? span_ns * (1 - 1 / options->pace) : span_ns;
}

/* `latest_ns`: the latest time in the data at the moment when the run begins. */
static ir_status_t check_start(const ir_source_options_t *options, double start, int64_t latest_ns,
                               ir_error_t *error) {
    const double back_ns = back_of(options);
    const double needed_ns = options->messages > 0 ? back_ns : 0;
    if (start < (double)EARLIEST_NS) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "simulate: the messages span %.1f years, so the data would begin "
                            "before 1978-07-05, SenML's first absolute time; send fewer messages, "
                            "simulate more motes, or shorten the interval",
                            back_ns / (double)YEAR_NS);
    }
    if (start + needed_ns > (double)latest_ns + (double)IR_SECOND_NS) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "start: the data would extend into the future; start at least %.0f s "
                            "ago, or send fewer messages",
                            (needed_ns + (double)lead_of(options)) / (double)IR_SECOND_NS + 1);
    }
    return IR_OK;
}

static ir_status_t find_start(const ir_source_options_t *options, int64_t now_ns, int64_t *start_ns,
                              ir_error_t *error) {
    const int64_t latest_ns = now_ns - lead_of(options);
    const double start =
        options->start_ns > 0 ? (double)options->start_ns : (double)latest_ns - back_of(options);
    const ir_status_t status = check_start(options, start, latest_ns, error);
    if (status == IR_OK) {
        const int64_t exact_ns =
            options->start_ns > 0 ? options->start_ns : latest_ns - (int64_t)back_of(options);
        *start_ns = exact_ns - exact_ns % IR_MILLISECOND_NS;
    }
    return status;
}

/* If no number is given, returns as many messages as there is data until now. */
static uint64_t count_messages(const ir_source_options_t *options, int64_t start_ns,
                               int64_t now_ns) {
    if (options->messages > 0) {
        return options->messages;
    }
    if (as_recorded(options)) {
        return IR_SOURCE_UNLIMITED;
    }
    const int64_t span_ns = now_ns - lead_of(options) - start_ns;
    return (uint64_t)((__int128)span_ns * IR_RIVER_QUANTITIES * options->simulate /
                      ((__int128)options->records * options->interval_ns));
}

ir_status_t ir_simulation_open(const ir_source_options_t *options, ir_source_t *source,
                               ir_error_t *error) {
    const int64_t now_ns = ir_clock_now();
    int64_t start_ns = 0;
    if (options->interval_ns % IR_SECOND_NS != 0) {
        return ir_error_set(error, IR_ERR_USAGE, "interval: must be whole seconds");
    }
    if (options->timings.clockless > 0 && options->records > IR_RIVER_QUANTITIES) {
        return ir_error_set(
            error, IR_ERR_USAGE,
            "clockless-share: needs at most %d records, because more would span several times",
            IR_RIVER_QUANTITIES);
    }
    const ir_status_t status = find_start(options, now_ns, &start_ns, error);
    if (status != IR_OK) {
        return status;
    }
    ir_simulation_t *made = make(options, start_ns);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for %u simulated motes",
                            options->simulate);
    }
    const uint64_t messages = count_messages(options, start_ns, now_ns);
    *source = (ir_source_t){
        .kind = &kind,
        .object = made,
        .messages = messages,
        .observations = messages == IR_SOURCE_UNLIMITED ? messages : messages * options->records,
        .records_max = options->records,
        .motes = options->simulate,
        .content_type = made->writer->content_type,
    };
    return IR_OK;
}
