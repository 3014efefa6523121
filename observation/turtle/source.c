#include "observation/turtle/source.h"

#include "observation/turtle/document.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static ir_status_t too_large(const char *path, ir_error_t *error) {
    return ir_error_set(error, IR_ERR_RANGE, "%s: larger than %zu MiB, the maximum for a registry",
                        path, IR_TURTLE_SIZE_MAX >> 20);
}

ir_status_t ir_turtle_source_open(ir_turtle_source_t *source, const char *path, ir_error_t *error) {
    struct stat facts;
    FILE *opened = fopen(path, "re");
    if (opened == NULL) {
        return ir_error_set(error, errno == ENOENT ? IR_ERR_NOT_FOUND : IR_ERR_IO,
                            "%s: cannot open the registry: %s", path, strerror(errno));
    }
    const bool known = fstat(fileno(opened), &facts) == 0;
    if (known && S_ISDIR(facts.st_mode)) {
        fclose(opened);
        return ir_error_set(error, IR_ERR_IO, "%s: is a directory and no Turtle file", path);
    }
    if (known && S_ISREG(facts.st_mode) && (size_t)facts.st_size > IR_TURTLE_SIZE_MAX) {
        fclose(opened);
        return too_large(path, error);
    }
    *source = (ir_turtle_source_t){.file = opened, .line = 1, .token_line = 1};
    return IR_OK;
}

int ir_turtle_source_byte(ir_turtle_source_t *source) {
    const int byte = getc_unlocked(source->file);
    if (byte == EOF || source->bytes == IR_TURTLE_SIZE_MAX) {
        source->too_large = byte != EOF;
        return EOF;
    }
    source->bytes++;
    source->has_nul = source->has_nul || byte == '\0';
    source->line += byte == '\n';
    if (byte != ' ' && byte != '\t' && byte != '\r' && byte != '\n' && byte != '\0') {
        source->token_line = source->line;
    }
    source->text_size = source->last == '\n' ? 0 : source->text_size;
    if (source->text_size < IR_TURTLE_LINE_KEPT) {
        source->text[source->text_size++] = (char)byte;
    }
    source->last = byte;
    return byte;
}

size_t ir_turtle_source_read(void *out, size_t size, size_t count, void *context) {
    const int byte = size * count > 0 ? ir_turtle_source_byte(context) : EOF;
    if (byte == EOF) {
        return 0;
    }
    *(unsigned char *)out = (unsigned char)byte;
    return 1;
}

int ir_turtle_source_failed(void *context) {
    const ir_turtle_source_t *source = context;
    return ferror(source->file) || source->too_large;
}

ir_status_t ir_turtle_source_check(const ir_turtle_source_t *source, const char *path,
                                   ir_error_t *error) {
    if (source->too_large) {
        return too_large(path, error);
    }
    return ferror(source->file)
               ? ir_error_set(error, IR_ERR_IO, "%s: cannot read: %s", path, strerror(errno))
               : IR_OK;
}
