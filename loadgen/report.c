#include "loadgen/report.h"

#include "common/log.h"

void ir_report_step(const ir_result_t *result) {
    char p99[IR_MS_SIZE];
    char late[IR_MS_SIZE];
    const ir_quantiles_t *told = result->heard ? &result->back : &result->confirms;
    ir_log(IR_LOG_INFO,
           "%.0f/s asked: %.0f/s sent, %.0f/s %s, backlog growth %.0f/s, p99 %s ms, lateness p99 "
           "%s ms: %s",
           result->asked, ir_result_sent_rate(result), ir_result_done_rate(result),
           result->heard ? "back" : "confirmed", result->growth,
           ir_quantiles_text(told, told->p99, p99),
           ir_quantiles_text(&result->late, result->late.p99, late),
           ir_verdict_text(result->verdict));
}

static void log_latency(const char *what, const ir_histogram_t *histogram) {
    ir_quantiles_t quantiles;
    ir_quantiles_of(histogram, &quantiles);
    if (quantiles.count == 0) {
        ir_log(IR_LOG_INFO, "%s nothing was measured", what);
        return;
    }
    ir_log(IR_LOG_INFO, "%s p50 %.1f ms, p90 %.1f ms, p99 %.1f ms, p99.9 %.1f ms, max %.1f ms",
           what, quantiles.p50, quantiles.p90, quantiles.p99, quantiles.p999, quantiles.max);
}

static void log_reconciliation(const ir_reconciliation_t *reconciliation) {
    char line[IR_RECONCILIATION_LINE];
    ir_log(ir_reconciliation_sent_is_even(reconciliation) ? IR_LOG_INFO : IR_LOG_ERROR, "%s",
           ir_reconciliation_sent_line(reconciliation, line));
    if (reconciliation->heard) {
        ir_log(ir_reconciliation_back_is_even(reconciliation) ? IR_LOG_INFO : IR_LOG_ERROR, "%s",
               ir_reconciliation_back_line(reconciliation, line));
    }
}

/* Printed last, because it limits what the figures above mean. */
static void log_conclusion(const ir_conclusion_t *conclusion) {
    for (unsigned i = 0; i < conclusion->n_reasons; i++) {
        ir_log(IR_LOG_ERROR, "not complete: %s", conclusion->reasons[i]);
    }
    if (!conclusion->valid) {
        ir_log(IR_LOG_ERROR, "not valid: %s", conclusion->invalid);
    }
}

void ir_report_tell(const ir_summary_t *summary) {
    const ir_producer_counts_t *sent = &summary->whole->end.sent;
    const ir_search_t *search = &summary->plan->search;
    ir_log(IR_LOG_INFO, "%llu of %llu messages sent (%llu observations), %llu confirmed",
           (unsigned long long)sent->messages_sent, (unsigned long long)summary->messages,
           (unsigned long long)sent->observations_sent,
           (unsigned long long)sent->messages_confirmed);
    log_latency("to the confirm:", summary->whole->confirms.corrected);
    if (summary->heard) {
        log_latency("end to end:", summary->whole->back.corrected);
        if (summary->options->no_wait && summary->conclusion.reconciliation.missing > 0) {
            ir_log(IR_LOG_WARN,
                   "the end-to-end figures are only for the first to come back: the run did not "
                   "wait for %llu messages",
                   (unsigned long long)summary->conclusion.reconciliation.missing);
        }
        if (summary->whole->end.back.order_violations > 0) {
            ir_log(IR_LOG_WARN, "%llu order violations",
                   (unsigned long long)summary->whole->end.back.order_violations);
        }
    }
    if (summary->plan->kind == IR_PLAN_SEARCH) {
        const ir_search_result_t found = ir_search_result(search);
        ir_log(IR_LOG_INFO,
               "highest sustained rate: %.0f observations/s (half of this run's turning points lie "
               "between %.0f and %.0f; limit above: %s)",
               found.rate, found.low, found.high, ir_verdict_text(search->limit));
        ir_log(IR_LOG_INFO, "this range is not the spread between runs: two runs differ by more");
    }
    log_reconciliation(&summary->conclusion.reconciliation);
    log_conclusion(&summary->conclusion);
}
