"""Clocks of workers and gateways that are set while they run (libfaketime), and are set right again. A gateway's decides when
its messages came, so it is not set further than a good pack may lie in its future; a worker's decides nothing."""

from .kind import Kind

HOUR = 3600
STEPS = {"worker": (-72 * HOUR, -HOUR, -5, 5, HOUR, 72 * HOUR), "gateway": (-20 * HOUR, -HOUR, -5, 5, HOUR, 20 * HOUR)}


def step(river, target, dice):
    river.set_clock(target, dice.choice(STEPS[river.roles[target]]))
    return lambda: river.set_clock(target, 0)


ROWS = [Kind("clock", "whose clock is set, and set right again", tuple(STEPS), step, (3, 20), 30)]
