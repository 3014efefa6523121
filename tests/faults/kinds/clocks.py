"""Changes the clocks of running workers and gateways (with libfaketime), and sets them right again. A gateway's clock
determines the arrival of its messages. So its change is less than the time that a valid pack may lie in the future. A
worker's clock has no effect on data."""

from .kind import Kind

HOUR = 3600
STEPS = {"worker": (-72 * HOUR, -HOUR, -5, 5, HOUR, 72 * HOUR), "gateway": (-20 * HOUR, -HOUR, -5, 5, HOUR, 20 * HOUR)}


def step(river, target, dice):
    river.set_clock(target, dice.choice(STEPS[river.roles[target]]))
    return lambda: river.set_clock(target, 0)


ROWS = [Kind("clock", "whose clock is changed and later corrected", tuple(STEPS), step, (3, 20), 30)]
