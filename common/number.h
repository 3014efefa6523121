/* Converts doubles to text. */
#ifndef IR_COMMON_NUMBER_H
#define IR_COMMON_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* Room for the longest text of ir_number_format, with its NUL. */
#define IR_NUMBER_SIZE 32

/* Writes the fewest digits that strtod reads back as the same double. The layout is that of
 * ECMAScript's Number::toString (RFC 8785, section 3.2.2.3): plain digits from 1e-6 to below 1e21,
 * otherwise like "1.5e+21" or "1e-7". The text is legal JSON; -0 becomes "-0". `value` must be
 * finite. Returns the length without the NUL. */
size_t ir_number_format(double value, char text[static IR_NUMBER_SIZE]);

/* Writes units / 10^decimals, the form in which sensors with a fixed resolution report. Faster than
 * going through a double. |units| < 2^53, decimals <= 6. */
size_t ir_number_format_decimal(int64_t units, unsigned decimals, char text[static IR_NUMBER_SIZE]);

/* Rounds `value` to the last decimal place that 15 significant digits of the larger of `value` and
 * `largest` can express. Unit conversion rounds its results this way: 8.9 ft sent as 2.71272 m
 * becomes 8.9 ft again, not 8.900000000000001, and 282.88 K becomes 9.73 °C. `largest` is the
 * magnitude of the largest term of the sum, or 0 when there was no sum. */
double ir_number_round15(double value, double largest);

#endif
