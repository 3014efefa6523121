/* Closes a connection from this side, with an answer if its peer is to get one. Loop thread only,
 * outside the library's callbacks. */
#ifndef IR_HTTP_ENDING_H
#define IR_HTTP_ENDING_H

#include "http/connection.h"

/* Counts the reason and answers with it when the library is still waiting for the request. Then
 * further input is discarded until the peer closes or the owner ends this. */
void ir_ending_refuse(ir_connection_t *connection, ir_closing_t why);

/* Closes a connection that lingers. */
void ir_ending_stop_lingering(ir_connection_t *connection);

#endif
