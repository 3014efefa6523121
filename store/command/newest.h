/* The newest verdict of quality control on a stored observation. This is the only implementation in
 * C. The views `readable` of SQLite and MongoDB implement the same rule; a test compares all three.
 *
 * The newest verdict on one test is the most severe of the revisions that supersede a verdict and
 * are not superseded themselves. If there are none, it is the most severe of all revisions of that
 * test. Without revisions, it is the observation's own flag. Severity is the order in which flags
 * are aggregated (quality.h). The aggregate follows from the newest flags; a point that was ahead
 * of its arrival stays suspect at least. */
#ifndef IR_STORE_COMMAND_NEWEST_H
#define IR_STORE_COMMAND_NEWEST_H

#include "store/documents/documents.h"

/* Revisions in the order in which they are read. The list can be reused after a clear. All zero: an
 * empty list. */
typedef struct ir_revision_list {
    ir_stored_revision_t *items;
    size_t count, capacity;
} ir_revision_list_t;

bool ir_revision_list_add(ir_revision_list_t *list, const ir_stored_revision_t *revision);
void ir_revision_list_free(ir_revision_list_t *list);

/* Sorts by observation and test; call it before the functions below. */
void ir_revision_list_sort(ir_revision_list_t *list);

/* The revisions of one observation; NULL: none. */
const ir_stored_revision_t *ir_revisions_of(const ir_revision_list_t *list,
                                            const ir_id_t *observation, size_t *count);

/* The newest revision of this test; NULL: the observation's own flag counts. */
const ir_stored_revision_t *ir_newest_revision(const ir_revision_list_t *list,
                                               const ir_id_t *observation, ir_test_t test);

/* Puts the newest flags and their aggregate into the observation. */
void ir_newest_apply(const ir_revision_list_t *list, ir_observation_t *observation);

/* Calls `each` for every observation of the selection (documents.h), with its newest verdict, in
 * the order of ids. Memory is bounded: revisions are read a thousand at a time, or as many as one
 * millisecond has. */
ir_status_t ir_newest_each(ir_documents_t *documents, const ir_observation_selection_t *selection,
                           ir_each_observation_fn each, void *context, ir_error_t *error);

/* Calls `each` for the newest observation, by its time, of one series. */
ir_status_t ir_newest_last(ir_documents_t *documents, const char *mote, const char *sensor,
                           ir_each_observation_fn each, void *context, ir_error_t *error);

#endif
