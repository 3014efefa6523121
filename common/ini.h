/* INI files (libinih) line by line, with every fault and its line. */
#ifndef IR_COMMON_INI_H
#define IR_COMMON_INI_H

#include "common/fault_list.h"

#include <stdio.h>

/* Called for each NAME = VALUE of a section ("" before the first). Unless it returns IR_OK, `error`
 * describes the fault, without file and line. IR_ERR_NOT_FOUND: the section is unknown, which is
 * reported once. */
typedef ir_status_t (*ir_ini_take_fn)(void *context, const char *section, const char *name,
                                      const char *value, ir_error_t *error);

/* Reads `file` to its end. A line becomes a fault ("PATH:LINE: …") if `take` refuses it, if its
 * section already has the name, or if it is not valid INI. Faults are in the order of lines. A
 * section may occur several times. A line may be indented; it does not continue the value before
 * it. */
void ir_ini_read(FILE *file, const char *path, ir_ini_take_fn take, void *context,
                 ir_fault_list_t *faults);

#endif
