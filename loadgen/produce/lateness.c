#include "loadgen/produce/lateness.h"

#include "common/clock.h"

#include <sys/resource.h>

#define CATCH_UP_NS IR_SECOND_NS
#define CALL_NS (5 * IR_MILLISECOND_NS)
#define MICROSECOND_NS 1000

void ir_lateness_hold(ir_lateness_t *lateness, int64_t now_ns) {
    lateness->held_ns = lateness->held_ns == 0 ? now_ns : lateness->held_ns;
}

void ir_lateness_release(ir_lateness_t *lateness, int64_t now_ns) {
    if (lateness->held_ns != 0) {
        ir_lateness_excuse(lateness, lateness->held_ns, now_ns);
        lateness->held_ns = 0;
    }
}

void ir_lateness_forget(ir_lateness_t *lateness) {
    lateness->held_ns = 0;
}

void ir_lateness_excuse(ir_lateness_t *lateness, int64_t since_ns, int64_t now_ns) {
    const int64_t held_ns = now_ns - since_ns;
    const int64_t until_ns = now_ns + (held_ns > CATCH_UP_NS ? held_ns : CATCH_UP_NS);
    lateness->excused_ns = until_ns > lateness->excused_ns ? until_ns : lateness->excused_ns;
}

static long waits_of_thread(void) {
    struct rusage usage = {.ru_nvcsw = 0};
    (void)getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

ir_calls_t ir_lateness_watch(void) {
    return (ir_calls_t){.begin_ns = ir_clock_monotonic(), .waits = waits_of_thread()};
}

void ir_lateness_judge(ir_lateness_t *lateness, const ir_calls_t *calls, int64_t meant_ns) {
    const int64_t now_ns = ir_clock_monotonic();
    if (now_ns - calls->begin_ns > meant_ns + CALL_NS && waits_of_thread() > calls->waits) {
        ir_lateness_excuse(lateness, calls->begin_ns, now_ns);
    }
}

void ir_lateness_add(ir_lateness_t *lateness, int64_t intended_ns, int64_t sent_ns) {
    lateness->late_us[lateness->count++] =
        sent_ns <= lateness->excused_ns ? 0 : (sent_ns - intended_ns) / MICROSECOND_NS;
}

void ir_lateness_take(ir_lateness_t *lateness, ir_histogram_t *histogram) {
    for (unsigned i = 0; i < lateness->count; i++) {
        ir_histogram_record(histogram, lateness->late_us[i], 1);
    }
    lateness->count = 0;
}
