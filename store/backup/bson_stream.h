/* Splits a stream of bytes into BSON documents, as mongodump(1) writes them. The input is
 * untrusted: a document larger than MongoDB allows is an error, so at most one such document is
 * held in memory. One thread at a time. */
#ifndef IR_STORE_BACKUP_BSON_STREAM_H
#define IR_STORE_BACKUP_BSON_STREAM_H

#include "common/buffer.h"
#include "common/status.h"
#include "common/view.h"

#include <bson/bson.h>

/* A document has at most 16 MiB (MongoDB, "Limits and Thresholds"); the server's internal ones, 16
 * KiB more. */
#define IR_BSON_DOCUMENT_MAX ((size_t)(16 * 1024 + 16) * 1024)

/* Zeroed, then ir_buffer_init(&held). */
typedef struct ir_bson_stream {
    ir_buffer_t held; /* documents not yet returned; the last one may be incomplete */
    size_t at;        /* where the next document begins */
} ir_bson_stream_t;

/* Adds bytes behind those that are held. IR_ERR_MEMORY. */
ir_status_t ir_bson_stream_add(ir_bson_stream_t *stream, ir_view_t bytes, ir_error_t *error);

/* The next document, valid until bytes are added. IR_ERR_NOT_FOUND: no complete one is held;
 * IR_ERR_SYNTAX: the bytes are not a document. */
ir_status_t ir_bson_stream_next(ir_bson_stream_t *stream, bson_t *document, ir_error_t *error);

/* The number of held bytes not yet returned. */
size_t ir_bson_stream_left(const ir_bson_stream_t *stream);

#endif
