/* Doubles as text, and back. */
#ifndef IR_COMMON_NUMBER_H
#define IR_COMMON_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* The longest text ir_number_format writes, with its NUL. */
#define IR_NUMBER_SIZE 32

/* Writes the fewest digits that strtod reads back as the same double, laid out as ECMAScript's
 * Number::toString does (RFC 8785, section 3.2.2.3): fixed from 1e-6 to below 1e21, else like
 * "1.5e+21" or "1e-7". Legal JSON; `value` must be finite. -0 is written "-0". Returns the length
 * without the NUL. */
size_t ir_number_format(double value, char text[static IR_NUMBER_SIZE]);

/* The same for units / 10^decimals, as sensors with a fixed resolution report: quicker than by way
 * of the double. |units| < 2^53, decimals <= 6. */
size_t ir_number_format_decimal(int64_t units, unsigned decimals, char text[static IR_NUMBER_SIZE]);

/* `value` rounded to the decimal place that 15 significant digits of the larger of `value` and
 * `largest` reach: what unit conversion does to its results, so that 8.9 ft sent as 2.71272 m is
 * 8.9 ft again and not 8.900000000000001, and 282.88 K is 9.73 °C. `largest` is the size of the
 * largest number that went into the sum; 0 when there was none. */
double ir_number_round15(double value, double largest);

#endif
