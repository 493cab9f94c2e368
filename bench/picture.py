"""The picture of the README: where the processor time of an image goes, now and in the release before."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

from bench.figures import Figures, Row

PICTURE = Path(__file__).with_name("pipeline.svg")
PARTS = {
    "the store": ("seaweedfs",),
    "marking": ("watermark",),
    "upload, archive, status": ("upload", "archive", "status"),
}
"""The bars' parts, each some programs; all others are the last part."""
OTHERS = "the rest"
COLORS = ("#4477aa", "#ee6677", "#ccbb44", "#bbbbbb")
"""Told apart by everybody (Paul Tol's bright scheme)."""
HEIGHT = 0.38


def draw(now: Figures, before: Figures) -> None:
    """Draw a pair of bars for each scenario of many images, and the engine alone as a line across them."""
    mpl.rcParams["svg.hashsalt"] = "countermark"  # the same figures give the same file
    rows = [row for row in now.rows if not row.is_one_by_one]
    old = {row.name: row for row in before.rows}
    figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
    for place, row in enumerate(rows):
        ends = [place - HEIGHT, place + HEIGHT]
        _bar(axes, place - HEIGHT / 2, row, labelled=place == 0)
        _bar(axes, place + HEIGHT / 2, old[row.name], labelled=False)
        axes.plot([row.engine_ms] * 2, ends, color="black", label="" if place else "the engine alone")
        axes.text(row.server_ms, place - HEIGHT / 2, " now", va="center", fontsize=8)
        axes.text(old[row.name].server_ms, place + HEIGHT / 2, f" {before.version}", va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds of a core for an image")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(PICTURE, metadata={"Date": None})
    plt.close(figure)


def _bar(axes: plt.Axes, place: float, row: Row, *, labelled: bool) -> None:
    parts = {name: sum(row.cpu_ms.get(program, 0) for program in programs) for name, programs in PARTS.items()}
    parts[OTHERS] = row.server_ms - sum(parts.values())
    left = 0.0
    for (name, width), color in zip(parts.items(), COLORS, strict=True):
        axes.barh(place, width, HEIGHT, left, color=color, label=name if labelled else None)
        left += width
