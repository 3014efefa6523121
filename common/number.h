/* Doubles as text, and back. */
#ifndef IR_COMMON_NUMBER_H
#define IR_COMMON_NUMBER_H

#include <stddef.h>

/* The longest text ir_number_format writes, with its NUL. */
#define IR_NUMBER_SIZE 32

/* Writes the shortest decimal that strtod reads back as the same double, in JSON's grammar
 * (RFC 8259: no leading '+', lower-case 'e', no "inf" or "nan": value must be finite).
 * -0 is written "-0". Returns the length without the NUL. */
size_t ir_number_format(double value, char text[static IR_NUMBER_SIZE]);

/* `value` rounded to 15 significant decimal digits: what unit conversion does to its results, so
 * that 8.9 ft sent as 2.71272 m is 8.9 ft again, not 8.900000000000001. */
double ir_number_round15(double value);

#endif
