#include "store/graph/nquads/seal_request.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t size_of(const ir_seal_request_t *request) {
    struct stat facts;
    return fstat(request->fd, &facts) == 0 ? facts.st_size : request->seen;
}

bool ir_seal_asked(const ir_seal_request_t *request) {
    return size_of(request) != request->seen;
}

void ir_seal_met(ir_seal_request_t *request) {
    request->seen = size_of(request);
}

ir_status_t ir_seal_ask(const ir_seal_request_t *request, ir_error_t *error) {
    return write(request->fd, "+", 1) == 1 ? IR_OK
                                           : ir_error_set(error, IR_ERR_IO,
                                                          "cannot write the graph directory's file "
                                                          "" IR_SEAL_REQUESTS ": %s",
                                                          strerror(errno));
}
