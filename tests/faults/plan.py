"""Plans which fault happens when. The same seed, settings and parts give the same plan."""

import random
from dataclasses import dataclass, field

OVERLAPPING = 0.2  # share of rounds in which a second fault begins before the first has ended
SETTLING_SECONDS = 2  # duration of the load before the first fault


@dataclass(frozen=True)
class Fault:
    kind: object
    target: str
    at: float  # seconds since the start of the round's load
    lasts: float
    seed: int  # seed for the random numbers of this fault


@dataclass(frozen=True)
class Round:
    number: int
    observations: int
    faults: list = field(default_factory=list)

    @property
    def ways(self):
        """Returns the protocols with which the motes may send during all of the faults."""
        return min((each.kind.ways for each in self.faults), key=len)


def cards(kinds, river):
    """Returns (kind, target) for every possible fault."""
    return [(kind, target) for kind in kinds for target in kind.targets(river)]


class Deck:
    """A deck of cards with all possible faults. It yields every fault once in random order, then all of them again. The
    kinds take turns, so a short run has many different kinds."""

    def __init__(self, all_cards, dice):
        self.all_cards, self.dice, self.left = all_cards, dice, []

    def shuffled(self):
        by_kind = {}
        for card in self.dice.sample(self.all_cards, len(self.all_cards)):
            by_kind.setdefault(card[0].name, []).append(card)
        turns = []
        while by_kind:
            names = self.dice.sample(list(by_kind), len(by_kind))
            turns += [by_kind[name].pop() for name in names]
            by_kind = {name: each for name, each in by_kind.items() if each}
        return turns

    def draw(self, fits=lambda card: True):
        """Returns the next fault that fits, or None."""
        self.left = self.left or self.shuffled()
        for place, card in enumerate(self.left):
            if fits(card):
                return self.left.pop(place)
        return None


def plan(seed, faults, observations, kinds, river, longest, rate):
    """Plans rounds with this many faults and observations in total. `longest`: longest duration of a fault in seconds.
    `rate`: observations per second."""
    dice = random.Random(seed)
    deck = Deck(cards(kinds, river), dice)
    drawn = []
    count = 0
    while count < faults:
        first = deck.draw()
        second = None
        if count + 2 <= faults and not first[0].alone and dice.random() < OVERLAPPING:
            second = deck.draw(lambda card: not card[0].alone and card[1] != first[1])
        drawn.append([first, *([second] if second else [])])
        count += len(drawn[-1])
    return [make_round(number, cards_of, observations // len(drawn), dice, longest, rate)
            for number, cards_of in enumerate(drawn, 1)]


def make_round(number, drawn, observations, dice, longest, rate):
    seconds = observations / rate
    begin = dice.uniform(SETTLING_SECONDS, max(SETTLING_SECONDS, seconds / 3))
    faults = []
    for kind, target in drawn:
        lasts = min(dice.uniform(*kind.lasts), max(longest, kind.lasts[0]))
        at = begin if not faults else dice.uniform(begin, begin + faults[0].lasts)
        faults.append(Fault(kind, target, round(at, 2), round(lasts, 2), dice.randrange(2**31)))
    return Round(number, observations, faults)


def told(rounds):
    """Returns the plan as lines of text."""
    lines = []
    for each in rounds:
        for fault in each.faults:
            lines.append(f"round {each.number}: {fault.at:5.1f} s: {fault.target} {fault.kind.what}, {fault.lasts:.1f} s "
                         f"({fault.kind.name})")
    return lines
