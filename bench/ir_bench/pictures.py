"""Draws a report's pictures as SVG text: every point, the interval, and the line of no difference. Value axes begin at
zero."""

import io

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "ir-bench", "font.family": "sans-serif", "font.size": 9,
                            **{f"{part}.color": "#7a8794" for part in ("xtick", "ytick")}, "axes.edgecolor": "#7a8794"})

from matplotlib import pyplot  # noqa: E402

WIDTH = 5  # inches, so that letters are large enough on a telephone
INK, ACCENT, FAINT, WARN = "#3b82c4", "#c0504d", "#9aa5b1", "#a64ac9"
MARKS = "os^Dv<>p"  # markers, so that subjects differ not only in colour


def svg(figure):
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
    text = out.getvalue()
    return text[text.index("<svg"):]


def ratios(title, rows, equivalence, resolution):
    """`rows`: (name, comparison.Finding) for one measure. A ratio of 1 means no difference; the band shows the ratios
    that count as no difference."""
    figure, axes = pyplot.subplots(figsize=(WIDTH, 0.7 + 0.5 * len(rows)))
    axes.axvspan(1 / (1 + equivalence), 1 + equivalence, color=FAINT, alpha=0.2, lw=0)
    axes.axvline(1, color=FAINT, lw=1)
    if resolution:
        for edge in (1 / (1 + resolution), 1 + resolution):
            axes.axvline(edge, color=FAINT, lw=0.8, ls=":")
    for place, (_, finding) in enumerate(rows):
        found = finding.all
        axes.plot(found.points, [place - 0.2] * len(found.points), "o", ms=4, color=INK, alpha=0.8)
        if found.low:
            axes.plot([found.low, found.high], [place, place], color=ACCENT, lw=3, solid_capstyle="round", zorder=3)
        axes.plot([found.estimate], [place], "D", ms=6, color=ACCENT, zorder=4)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.invert_yaxis()
    axes.set_xlabel("ratio; 1 is no difference")
    axes.set_title(title, loc="left", fontsize=9)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return svg(figure)


def values(title, unit, rows):
    """`rows`: (subject, {block: value}, disturbed blocks). One dot per sample, in the order of the blocks."""
    figure, axes = pyplot.subplots(figsize=(WIDTH, 2.2))
    blocks = sorted({block for _, by, _ in rows for block in by})
    width = 0.7 / max(len(rows), 1)
    for number, (name, by, disturbed) in enumerate(rows):
        places = [block + 1 + (number - (len(rows) - 1) / 2) * width for block in by]
        axes.plot(places, by.values(), MARKS[number % len(MARKS)], ls="", ms=5, label=name)
        marked = [(place, value) for place, (block, value) in zip(places, by.items()) if block in disturbed]
        if marked:
            axes.plot(*zip(*marked), "x", ms=9, color=WARN, zorder=4)
    axes.set_ylim(0, 1.12 * max((value for _, by, _ in rows for value in by.values()), default=1))
    axes.set_xticks([block + 1 for block in blocks])
    axes.set_xlabel("block (× disturbed)")
    axes.set_ylabel(unit)
    axes.set_title(title, loc="left", fontsize=9)
    axes.legend(frameon=False, fontsize=8, ncols=len(rows), loc="upper left", bbox_to_anchor=(0, -0.25))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return svg(figure)
