#include "loadgen/conclusion.h"

#include "common/clock.h"

#include <stdarg.h>
#include <stdio.h>

#define BEHIND_MS 200.0 /* after a phase, how long a producer still sends late messages */
#define RATE_SHARE 0.98 /* share of the requested rate; below it, the run did not keep the rate */

__attribute__((format(printf, 2, 3))) static void give_reason(ir_conclusion_t *conclusion,
                                                              const char *format, ...) {
    va_list arguments;
    conclusion->complete = false;
    if (conclusion->n_reasons == IR_CONCLUSION_REASONS) {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(conclusion->reasons[conclusion->n_reasons++], IR_CONCLUSION_LINE, format,
                    arguments);
    va_end(arguments);
}

static unsigned long long number(uint64_t count) {
    return (unsigned long long)count;
}

/* ---- requested and sent messages ---- */

static void check_end(ir_conclusion_t *conclusion, const ir_evidence_t *evidence) {
    if (evidence->failed) {
        give_reason(conclusion, "an error ended the run");
    }
    if (evidence->interrupted) {
        give_reason(conclusion, "interrupted by a signal");
    }
    if (evidence->sent.messages_sent == 0) {
        give_reason(conclusion, "nothing was sent");
    } else if (evidence->sent.messages_sent < evidence->messages) {
        give_reason(conclusion, "%llu of %llu messages were not sent",
                    number(evidence->messages - evidence->sent.messages_sent),
                    number(evidence->messages));
    }
    if (evidence->ended_early) {
        give_reason(conclusion, "the source ran out of messages before the requested duration: use "
                                "a larger --repeat, or --messages 0");
    }
}

/* Returns the number of decimals to print for a figure of this size. */
static int decimals(double figure) {
    return figure >= 10 ? 0 : 2;
}

/* A phase that ended after its duration. */
static void check_unsent(ir_conclusion_t *conclusion, const ir_result_t *result) {
    const double unsent = (double)result->observations_unsent;
    const double share = 100 * unsent / (unsent + (double)result->observations_sent);
    const double rate = ir_result_sent_rate(result);
    if (unsent <= 0) {
        return;
    }
    if (result->asked > 0) {
        give_reason(
            conclusion, "requested %.*f/s, sent %.*f/s: %.*f %% of what was due was not sent",
            decimals(result->asked), result->asked, decimals(rate), rate, decimals(share), share);
    } else {
        give_reason(conclusion, "%.*f %% of what was due was not sent", decimals(share), share);
    }
}

/* Checks a phase that ended when all its messages were sent. The run did not keep the rate if the
 * last message was sent long after it was due. */
static void check_behind(ir_conclusion_t *conclusion, const ir_evidence_t *evidence,
                         const ir_result_t *result) {
    const ir_producer_counts_t *sent = &evidence->sent;
    const double behind_ms =
        (double)(sent->last_send_ns - sent->last_due_ns) / (double)IR_MILLISECOND_NS;
    const double took_ms =
        (double)(sent->last_send_ns - sent->first_send_ns) / (double)IR_MILLISECOND_NS;
    const double rate = took_ms > 0 ? (double)sent->observations_sent * 1e3 / took_ms : 0;
    const double bound_ms =
        evidence->late_bound_ms > BEHIND_MS ? evidence->late_bound_ms : BEHIND_MS;
    if (sent->last_due_ns == 0 || behind_ms <= bound_ms ||
        behind_ms <= took_ms * (1 - RATE_SHARE)) {
        return;
    }
    if (result->asked > 0) {
        give_reason(conclusion,
                    "requested %.*f/s, sent %.*f/s: the last message was sent %.1f s late",
                    decimals(result->asked), result->asked, decimals(rate), rate, behind_ms / 1e3);
    } else {
        give_reason(conclusion, "the last message was sent %.1f s late", behind_ms / 1e3);
    }
}

static void check_search(ir_conclusion_t *conclusion, const ir_search_t *search) {
    if (!search->done || (search->n_turns < IR_SEARCH_TURNS && ir_search_result(search).rate > 0)) {
        give_reason(conclusion, "the search did not finish: %u of %u turns in %u trials",
                    search->n_turns, IR_SEARCH_TURNS, search->trials);
    } else if (ir_search_result(search).rate <= 0) {
        give_reason(conclusion, "no rate was kept");
    }
}

static void check_rates(ir_conclusion_t *conclusion, const ir_evidence_t *evidence) {
    if (evidence->plan->kind == IR_PLAN_SEARCH) {
        check_search(conclusion, &evidence->plan->search);
        return;
    }
    for (size_t i = 0; i < evidence->n_results; i++) {
        check_unsent(conclusion, &evidence->results[i]);
    }
    if (evidence->plan->kind == IR_PLAN_WHOLE && evidence->n_results > 0 &&
        evidence->results[0].observations_unsent == 0) {
        check_behind(conclusion, evidence, &evidence->results[0]);
    }
}

/* ---- outcomes of the messages ---- */

static void check_answers(ir_conclusion_t *conclusion, const ir_evidence_t *evidence) {
    if (evidence->sent.messages_lost > 0) {
        give_reason(conclusion, "%llu messages have no final answer",
                    number(evidence->sent.messages_lost));
    }
    if (evidence->sent.unmeant > 0) {
        give_reason(conclusion, "%llu good messages were refused", number(evidence->sent.unmeant));
    }
    if (!ir_reconciliation_is_even(&conclusion->reconciliation)) {
        give_reason(conclusion, "the sums do not match");
    }
}

static void check_back(ir_conclusion_t *conclusion, const ir_evidence_t *evidence) {
    const ir_tracker_counts_t *back = evidence->back;
    if (back == NULL || !evidence->waited) {
        return;
    }
    if (conclusion->reconciliation.missing > 0) {
        give_reason(conclusion, "%llu messages did not come back in all formats%s",
                    number(conclusion->reconciliation.missing),
                    evidence->gaps > 0 ? ", or came back while the subscription was lost" : "");
    }
    if (back->unmeant > 0) {
        give_reason(conclusion, "%llu good messages were rejected", number(back->unmeant));
    }
}

/* ---- whether the figures describe the target ---- */

static void judge_schedule(ir_conclusion_t *conclusion, const ir_evidence_t *evidence) {
    if (evidence->plan->kind == IR_PLAN_SEARCH) {
        if (evidence->plan->search.limit == IR_VERDICT_GENERATOR) {
            snprintf(conclusion->invalid, IR_CONCLUSION_LINE,
                     "the generator is the limit, not the target: more threads may help");
        }
        return;
    }
    for (size_t i = 0; i < evidence->n_results && conclusion->invalid[0] == '\0'; i++) {
        if (!evidence->results[i].valid) {
            snprintf(conclusion->invalid, IR_CONCLUSION_LINE,
                     "the generator could not keep its own schedule at %.0f/s: 1 %% of the "
                     "messages were sent more than %.1f ms late (limit: %.1f ms)",
                     evidence->results[i].asked, evidence->results[i].late.p99,
                     evidence->late_bound_ms);
        }
    }
}

/* Messages that were republished while the subscription was down are in no histogram. They may have
 * been the slowest ones. */
static void judge_listening(ir_conclusion_t *conclusion, const ir_evidence_t *evidence) {
    if (evidence->gaps > 0 && evidence->back != NULL && conclusion->reconciliation.missing > 0 &&
        conclusion->invalid[0] == '\0') {
        snprintf(conclusion->invalid, IR_CONCLUSION_LINE,
                 "the subscription was lost: the end-to-end times exclude %llu messages",
                 number(conclusion->reconciliation.missing));
    }
}

void ir_conclusion_draw(ir_conclusion_t *conclusion, const ir_evidence_t *evidence) {
    *conclusion = (ir_conclusion_t){.complete = true};
    ir_reconciliation_make(&conclusion->reconciliation, &evidence->sent, evidence->back);
    check_end(conclusion, evidence);
    check_rates(conclusion, evidence);
    check_answers(conclusion, evidence);
    check_back(conclusion, evidence);
    judge_schedule(conclusion, evidence);
    judge_listening(conclusion, evidence);
    conclusion->valid = conclusion->invalid[0] == '\0';
}
