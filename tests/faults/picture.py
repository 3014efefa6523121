"""Draws a run over time as SVG: confirmed messages per second, waiting messages, and the faults."""

import io

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "faults", "font.family": "sans-serif", "font.size": 8})

from matplotlib import pyplot  # noqa: E402

INK, BACKLOG, FAULT, WRONG = "#3b6ea5", "#d9902f", "#9aa5b1", "#c0504d"
NAMED_FAULTS = 40  # with more faults the names would overlap
INCHES_A_MINUTE, NARROWEST, WIDEST = 1.2, 9, 60


def rates(samples):
    """Returns [(seconds, messages per second)]. The count of messages starts at 0 in each round."""
    points = []
    for before, after in zip(samples, samples[1:]):
        seconds, count = after["at"] - before["at"], after["confirmed"] - before["confirmed"]
        if seconds > 0 and count >= 0:
            points.append((after["at"], count / seconds))
    return points


def mark(axes, faults, named):
    for number, fault in enumerate(faults):
        color = WRONG if fault["wrong"] else FAULT
        axes.axvspan(fault["begun"], fault.get("ended", fault["begun"]), color=color, alpha=0.3, lw=0)
        if "recovered" in fault:
            axes.axvline(fault["recovered"], color=color, lw=0.6, ls=":")
        if named:
            axes.annotate(f"{fault['target']} {fault['kind']}", (fault["begun"], 1), xycoords=("data", "axes fraction"),
                          xytext=(1, 2 + 8 * (number % 3)), textcoords="offset points", fontsize=6)


def course(samples, faults):
    minutes = samples[-1]["at"] / 60 if samples else 0
    width = min(WIDEST, max(NARROWEST, INCHES_A_MINUTE * minutes))
    figure, (upper, lower) = pyplot.subplots(2, 1, sharex=True, figsize=(width, 4.5))
    points = rates(samples)
    upper.plot(*zip(*points) if points else ([], []), color=INK, lw=1)
    upper.set_ylabel("confirmed, messages/s")
    backlog = [(each["at"], each["waiting"] + each["unanswered"]) for each in samples if each["waiting"] is not None]
    lower.plot(*zip(*backlog) if backlog else ([], []), color=BACKLOG, lw=1)
    lower.set_ylabel("backlog, messages")
    lower.set_xlabel("seconds; grey: a fault, dotted: recovery is complete, red: a broken promise")
    for axes in (upper, lower):
        mark(axes, faults, axes is upper and len(faults) <= NAMED_FAULTS)
        axes.set_ylim(bottom=0)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    out = io.StringIO()
    figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
    text = out.getvalue()
    return text[text.index("<svg"):]
