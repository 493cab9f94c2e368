"""The table of a run over the corpus, as Markdown."""

import platform
import textwrap
from collections import Counter

from countermark import engine
from PIL import Image

from bench.corpus.checking import LOST, Verdict
from bench.corpus.fetching import DEBIAN, NPM, PYPI

#: What is compared, and what a column says of it.
TOLD = ("decodes", "size", "orientation", "frames", "depth", "profile", "pixels")

Verdicts = list[Verdict]

_HEAD = """# The engine on a corpus

`make corpus` marks the images that packages carry for their own tests and documents, in cells:

{packages}

Each file counts once, however many packages have it: {files} files, {marked} marked, with Pillow {pillow} and Python
{python}. *lost* is a cell that crashed, or in which anything untyped was raised.

| format | files | marked | typed error | lost | leaks |
| --- | ---: | ---: | ---: | ---: | ---: |"""
_COMPARED = """
Of the marked files, those that have something as libvips reads them, and how many results have it too. *size* is what
is seen, *orientation* that of turned pictures, *frames* those of animations and pages, *depth* more than 8 bits in PNG
and TIFF, *profile* an ICC profile of the same colours, *pixels* the colours at the four corners, where no mark is.
"""
_REASONS = """
Why files were not marked:

| error | files |
| --- | ---: |"""


def report(verdicts: Verdicts) -> str:
    """Return the report of what became of every file."""
    marked = [each for each in verdicts if each.outcome == "marked"]
    head = _HEAD.format(
        packages=_packages(), files=len(verdicts), marked=len(marked), pillow=Image.__version__,
        python=platform.python_version(),
    )  # fmt: skip
    outcomes = [_outcomes(form, [each for each in verdicts if each.format == form]) for form in engine.FORMATS]
    told = [_told(form, [each for each in marked if each.format == form]) for form in engine.FORMATS]
    codes = [f"| `{code}` | {count} |" for code, count in _codes(verdicts)]
    parts = (
        [head, *outcomes, _outcomes("all", verdicts)],
        [_COMPARED, "| format | " + " | ".join(TOLD) + " |", "| --- |" + " ---: |" * len(TOLD)],
        [*told, _told("all", marked)],
        [_REASONS, *codes],
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def _packages() -> str:
    lists = ("Debian", DEBIAN), ("PyPI", PYPI), ("npm", NPM)
    return "\n".join(
        textwrap.fill(f"- {registry}: {', '.join(names)}", 120, subsequent_indent="  ") for registry, names in lists
    )


def _outcomes(form: str, verdicts: Verdicts) -> str:
    marked, lost = (sum(each.outcome == name for each in verdicts) for name in ("marked", LOST))
    leaks = sum(each.leaks > 0 for each in verdicts)
    return f"| {form} | {len(verdicts)} | {marked} | {len(verdicts) - marked - lost} | {lost} | {leaks} |"


def _told(form: str, verdicts: Verdicts) -> str:
    cells = []
    for name in TOLD:
        told = [each.told[name] for each in verdicts if name in each.told]
        cells.append(f"{sum(told)} of {len(told)}" if told else "")
    return f"| {form} | " + " | ".join(cells) + " |"


def _codes(verdicts: Verdicts) -> list[tuple[str, int]]:
    return Counter(each.outcome for each in verdicts if each.outcome != "marked").most_common()
