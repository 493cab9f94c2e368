"""The engine on files that nobody here made: make corpus.

    python -m bench.corpus [FOLDER ...]     fetch the packages' images, mark them and those of the folders, report

They are marked in cells, as all that strangers send. Each result is read by libvips, which the engine does not use for
what it compares. bench/corpus.md is the report; build/corpus.jsonl says what became of each file.
"""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from countermark import engine

from bench.corpus.checking import LOST, Verdict, check, fingerprint
from bench.corpus.fetching import fetch
from bench.corpus.report import report

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("CORPUS", Path.home() / ".cache" / "countermark-corpus"))
DETAILS = ROOT / "build" / "corpus.jsonl"
_OFTEN = 100  # files


def main() -> int:
    """Mark everything; return 1 when a cell was lost or a picture leaked."""
    parser = argparse.ArgumentParser(prog="python -m bench.corpus", description=__doc__.partition("\n")[0])
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER")
    folders = parser.parse_args().folders
    CACHE.mkdir(parents=True, exist_ok=True)
    fetch(CACHE)
    verdicts = list(run(find([CACHE, *folders])))
    DETAILS.parent.mkdir(exist_ok=True)
    DETAILS.write_text("".join(json.dumps(asdict(each)) + "\n" for each in verdicts))
    (ROOT / "bench" / "corpus.md").write_text(report(verdicts))
    bad = [each for each in verdicts if each.outcome == LOST or each.leaks]
    print(*(f"{each.file}: {each.outcome} {each.words}" for each in bad), sep="\n")
    return 1 if bad else 0


def find(folders: list[Path]) -> list[tuple[Path, str]]:
    """Return the images in folders, each content once, and what they are called in the report."""
    found: dict[str, tuple[Path, str]] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and engine.sniff(path.open("rb").read(64)):
                found.setdefault(fingerprint(path), (path, str(path.relative_to(folder))))
    return list(found.values())


def run(files: list[tuple[Path, str]]) -> Iterator[Verdict]:
    """Check all files, in a process for each processor: libvips and the search for leaks take as much as the cells."""
    ends: Counter[str] = Counter()
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as processes:
        for verdict in processes.map(check, *zip(*files, strict=True)):
            ends[verdict.outcome] += 1
            if ends.total() % _OFTEN == 0:
                print(f"{ends.total()} of {len(files)}", dict(ends), file=sys.stderr, flush=True)
            yield verdict


if __name__ == "__main__":
    raise SystemExit(main())
