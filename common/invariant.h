/* Conditions that hold unless the program itself has a fault. They are checked in every build: a
 * program that has lost track of its own state must end before it acknowledges or stores anything
 * more. Ending is safe, because the broker delivers again whatever was not acknowledged.
 *
 * Use it for ownership, counts and states. Never use it for external input or for a server's answer
 * (those are refusals or errors), and never with side effects. */
#ifndef IR_COMMON_INVARIANT_H
#define IR_COMMON_INVARIANT_H

/* Logs one line and raises SIGABRT if `condition` is false. Any thread. */
#define IR_INVARIANT(condition)                                                                    \
    ((condition) ? (void)0 : ir_invariant_violated(#condition, __FILE__, __LINE__))

_Noreturn void ir_invariant_violated(const char *condition, const char *file, int line)
    __attribute__((cold));

#endif
