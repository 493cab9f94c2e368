"""The figures as tables, beside those of the release before."""

from collections.abc import Iterator
from itertools import chain

from bench.figures import Figures, Row

LEAST = 0.05
"""What is less, in milliseconds, MiB or percent, is no row's business."""


def tables(now: Figures, before: Figures) -> Iterator[str]:
    """The lines of all tables, in Markdown."""
    yield from ("", *_scenarios(now, before))
    yield from ("", *_programs(now, before))
    yield from ("", *_memory(now, before))


def _scenarios(now: Figures, before: Figures) -> Iterator[str]:
    old = {row.name: row for row in before.rows}
    yield f"| scenario | ms | times the engine | {before.version}: ms | times the engine | images/s | p50 s |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for row in now.rows:
        yield (
            f"| {row.name} | {_cost(row)} | {_cost(old.get(row.name))} | {row.images_a_second:.1f} | {row.p50_s:.2f} |"
        )


def _cost(row: Row | None) -> str:
    if row is None:
        return "- | -"
    return f"{row.ready_ms if row.is_one_by_one else row.server_ms:.0f} | {row.times_the_engine:.1f}"


def _programs(now: Figures, before: Figures) -> Iterator[str]:
    rows = [row for row in now.rows if not row.is_one_by_one]
    old = {row.name: row for row in before.rows}
    yield f"| ms of a core an image ({before.version}) | {' | '.join(row.name for row in rows)} |"
    yield f"|---|{'--:|' * len(rows)}"
    for name in _names(*(row.cpu_ms for row in rows), *(row.cpu_ms for row in before.rows)):
        cells = (
            _pair(row.cpu_ms.get(name), old[row.name].cpu_ms.get(name) if row.name in old else None) for row in rows
        )
        yield f"| {name} | {' | '.join(cells)} |"
    yield f"| the engine alone | {' | '.join(f'{row.engine_ms:.1f}' for row in rows)} |"


def _memory(now: Figures, before: Figures) -> Iterator[str]:
    yield f"| ({before.version}) | MiB idle | MiB at most | % of a core idle |"
    yield "|---|--:|--:|--:|"
    columns = [(_with_sum(run.idle.memory), run.peaks, _with_sum(run.idle.processor)) for run in (now, before)]
    for name in _names(*chain(*columns)):
        cells = (_pair(new.get(name), old.get(name)) for new, old in zip(*columns, strict=True))
        yield f"| {name} | {' | '.join(cells)} |"


def _with_sum(values: dict[str, float]) -> dict[str, float]:
    return {"all": sum(values.values()), **values}


def _names(*columns: dict[str, float]) -> list[str]:
    """Of all programs that a column has, those that use most first."""
    most: dict[str, float] = {}
    for name, value in chain.from_iterable(column.items() for column in columns):
        most[name] = max(value, most.get(name, 0))
    return [name for name in sorted(most, key=lambda each: -most[each]) if most[name] >= LEAST]


def _pair(now: float | None, before: float | None) -> str:
    return f"{_number(now)} ({_number(before)})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if value < 10 else f"{value:.0f}"
