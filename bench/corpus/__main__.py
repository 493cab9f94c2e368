"""The engine on files that nobody here made: make corpus.

    python -m bench.corpus [FOLDER ...]     fetch the packages' images, mark them and those of the folders, report

Each result is read by libvips, which the engine does not use for what it compares. bench/corpus.md is the report;
build/corpus.jsonl says what became of each file.
"""

import json
import os
import subprocess
import sys
from collections import Counter, deque
from pathlib import Path

from countermark import engine

from bench.corpus import checking
from bench.corpus.fetching import fetch
from bench.corpus.report import report

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("CORPUS", Path.home() / ".cache" / "countermark-corpus"))
DETAILS = ROOT / "build" / "corpus.jsonl"
_SLICE = 60  # files of one process
_SECONDS = 900  # of one process


def main() -> int:
    """Mark everything; return 1 when something untyped was raised or a picture leaked."""
    if sys.argv[1:2] == ["--slice"]:
        checking.main(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
        return 0
    CACHE.mkdir(parents=True, exist_ok=True)
    fetch(CACHE)
    files = find([CACHE, *map(Path, sys.argv[1:])])
    DETAILS.parent.mkdir(exist_ok=True)
    listed = DETAILS.with_suffix(".list")
    listed.write_text("".join(f"{path}\t{name}\n" for path, name in files))
    verdicts = run(listed, len(files))
    DETAILS.write_text("".join(json.dumps(each) + "\n" for each in verdicts))
    (ROOT / "bench" / "corpus.md").write_text(report(verdicts))
    bad = [each for each in verdicts if each["outcome"] in {"untyped", "killed"} or each.get("leaks")]
    print(*(f"{each['file']}: {each['outcome']} {each.get('words')}" for each in bad), sep="\n")
    return 1 if bad else 0


def find(folders: list[Path]) -> list[tuple[Path, str]]:
    """Return the images in folders, each content once, and what they are called in the report."""
    found: dict[str, tuple[Path, str]] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "\n" not in str(path) and engine.sniff(path.open("rb").read(64)):
                found.setdefault(checking.fingerprint(path), (path, str(path.relative_to(folder))))
    return list(found.values())


def run(listed: Path, count: int) -> list[dict]:  # type: ignore[type-arg]
    """Check all files in processes that may be killed; what kills one is a verdict."""
    waiting = deque((begin, min(begin + _SLICE, count)) for begin in range(0, count, _SLICE))
    running: list[tuple[subprocess.Popen[str], int, int]] = []
    verdicts = []
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            begin, end = waiting.popleft()
            command = [sys.executable, "-m", "bench.corpus", "--slice", str(listed), str(begin), str(end)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
            running.append((process, begin, end))
        process, begin, end = running.pop(0)
        try:
            lines = process.communicate(timeout=_SECONDS)[0].splitlines()
        except subprocess.TimeoutExpired:
            process.kill()
            lines = process.communicate()[0].splitlines()
        told = [json.loads(line) for line in lines]
        done = [each for each in told if "outcome" in each]
        verdicts += done
        if len(done) < end - begin:
            killer = told[-1]["begins"] if told else listed.read_text().splitlines()[begin]
            verdicts.append({"file": killer, "format": "", "outcome": "killed", "words": str(process.returncode)})
            if begin + len(done) + 1 < end:
                waiting.appendleft((begin + len(done) + 1, end))
        print(f"{len(verdicts)} of {count}", Counter(each["outcome"] for each in done), file=sys.stderr, flush=True)
    return verdicts


if __name__ == "__main__":
    raise SystemExit(main())
