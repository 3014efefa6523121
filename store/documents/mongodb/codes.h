/* The meaning of MongoDB's error codes for an insert. Sources: src/mongo/base/error_codes.yml of
 * mongodb/mongo with its categories, and the codes that Atlas and Cosmos DB add. */
#ifndef IR_STORE_DOCUMENTS_MONGODB_CODES_H
#define IR_STORE_DOCUMENTS_MONGODB_CODES_H

#include <stdint.h>

typedef enum ir_mongodb_fault {
    IR_MONGODB_FAULT_UNKNOWN, /* uncertain: the cause must be proved */
    IR_MONGODB_FAULT_DATA,    /* documented to be about the document */
    IR_MONGODB_FAULT_SERVER,  /* about the server, its load, permissions or network: a retry may
                               * succeed */
    IR_MONGODB_FAULT_REPEAT   /* a document with this _id already exists */
} ir_mongodb_fault_t;

ir_mongodb_fault_t ir_mongodb_fault(int64_t code);

#endif
