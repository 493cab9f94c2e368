"""Whether a marked copy holds another picture: every carrier, in every container, written in every format.

    python -m tests.engine.leaks        all of them, how many there were, and which the engine refused, and why

`make test` runs a share of them (test_leaks.py).
"""

from collections import defaultdict
from collections.abc import Iterator

from countermark import engine
from countermark.engine.metadata.leaks import find_leaks

from tests.engine.carriers import KINDS, Source, sources, traces

#: How results are written. The first marks JPEG files in their coefficients, the others on pixels.
OPTIONS = (
    {"metadata": "keep"},
    {"metadata": "keep", "quality": "90"},
    {"metadata": "no-location"},
    {"metadata": "keep", "format": "jpeg", "tasks": '[{"task": "resize", "width": 100}, {"task": "watermark"}]'},
    {"metadata": "keep", "format": "png"},
    {"metadata": "keep", "format": "webp"},
    {"metadata": "keep", "format": "tiff", "copyright": "© Studio", "creator": "A. Photographer"},
    {"metadata": "keep", "format": "avif"},
    {"metadata": "no-location", "format": "gif"},
    {"metadata": "none", "usage_terms": "Ask first."},
)


def what_leaks(source: Source, options: dict[str, str], refused: dict[str, list[str]]) -> str | None:
    """Return how the picture that `source` hides is in its marked copy, or None when it is not.

    A source that the engine refuses is noted under its name in `refused`.
    """
    try:
        result = engine.process(source.data, engine.parse_options(options)).data
    except engine.ImageError as error:
        refused[source.name].append(f"{error.code}: {error}")
        return None
    if found := find_leaks(result):
        return f"{source.name}, {options}: {found[0]}"
    if any(trace in result for trace in traces(source.payload)):
        return f"{source.name}, {options}: its bytes"
    return None


def all_files() -> Iterator[tuple[Source, dict[str, str]]]:
    """Yield every source with every set of options."""
    for source in sources():
        for options in OPTIONS:
            yield source, options


def main() -> int:
    """Try all of them; return 1 when a picture leaks."""
    files = list(all_files())
    refused: dict[str, list[str]] = defaultdict(list)
    leaks = [leak for source, options in files if (leak := what_leaks(source, options, refused))]
    carriers = sum(len(list(carriers())) for carriers, _ in KINDS)
    print(f"{len(files)} files, of {carriers} carriers in all containers and {len(OPTIONS)} sets of options")
    print(f"{sum(map(len, refused.values()))} were refused and are not among what was looked at:")
    for name, reasons in refused.items():
        print(f"  {name}, {len(reasons)} of {len(OPTIONS)}:", *sorted(set(reasons)))
    print(f"{len(leaks)} leaks", *leaks, sep="\n")
    return 1 if leaks else 0


if __name__ == "__main__":
    raise SystemExit(main())
