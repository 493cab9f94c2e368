"""In a container the cells' own limits strike before the container's."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

MIB = 1024 * 1024
LIMIT = 640 * MIB
HIERARCHIES = {"memory": "memory.limit_in_bytes", "unified": "memory.max", "": "memory.max"}
"""Where a control group with memory may be made, and the file of its limit."""
WORK = """
import os, sys, threading
from io import BytesIO
with open(sys.argv[1] + "/cgroup.procs", "w") as group:
    group.write(str(os.getpid()))
from countermark import engine
from countermark.engine import cell
from PIL import Image
assert cell.own_pool().budget.total < int(sys.argv[2]), cell.own_pool().budget.total
file = BytesIO()
Image.radial_gradient("L").resize((3400, 2400)).convert("RGB").save(file, "BMP")
ends = []
def ask(name, source):
    try:
        ends.append(cell.process(source, engine.load_options({"task": name} if name else {}), scope=name).width)
    except engine.ImageError as error:
        ends.append(error.code)
sources = [(None, file.getvalue())] * 3 + [("greedy", file.getvalue())] * 2
threads = [threading.Thread(target=ask, args=each) for each in sources]
for each in threads: each.start()
for each in threads: each.join()
print(sorted(ends, key=str))
cell.close()
"""
GREEDY = '''
from typing import Literal
from countermark import engine

@engine.register
class Greedy(engine.ImageTask):
    """Take all memory."""
    task: Literal["greedy"] = "greedy"
    def edit(self, image, picture):
        kept = []
        while True:
            kept.append(bytearray(b"x") * 8_000_000)
'''


@pytest.fixture
def group() -> Iterator[tuple[Path, str]]:
    """A control group with a limit of memory, and no swap beside it."""
    for root, name in HIERARCHIES.items():
        group = Path("/sys/fs/cgroup") / root / f"countermark-{uuid.uuid4().hex}"
        try:
            group.mkdir()
        except OSError:
            continue
        if (group / name).exists():
            (group / name).write_text(str(LIMIT))
            yield group, name
            group.rmdir()
            return
        group.rmdir()
    pytest.skip("no control group of memory can be made here: that needs root, and a writable /sys/fs/cgroup")


@pytest.mark.slow
def test_the_containers_limit_is_never_reached(group: tuple[Path, str], tmp_path: Path) -> None:
    """Two would pass it together, and a hostile one alone."""
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "greedy.py").write_text(GREEDY)
    folder, name = group
    done = subprocess.run(
        [sys.executable, "-c", WORK, str(folder), str(LIMIT)],
        env={**os.environ, "COUNTERMARK_ASSETS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "[3400, 3400, 3400, 'too_large_here', 'too_large_here']\n", done.stderr
    if name == "memory.max":
        events = dict(line.split() for line in (folder / "memory.events").read_text().splitlines())
        assert events["oom_kill"] == events["max"] == "0"
    else:
        assert "oom_kill 0" in (folder / "memory.oom_control").read_text()
        assert int((folder / "memory.max_usage_in_bytes").read_text()) < LIMIT
        print("most", int((folder / "memory.max_usage_in_bytes").read_text()) // MIB, "MiB")
