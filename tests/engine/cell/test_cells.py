"""A cell does what the engine does in place, knows no secret, and ends with the process that it works for."""

import base64
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import psutil
import pytest
from countermark import engine
from countermark.engine import cell
from countermark.engine.cell import budget, calls, keeper, locks
from countermark.engine.cell import pool as pool_module
from countermark.engine.cell.pool import Pool
from countermark.engine.cell.protocol import PIECE, Malformed
from countermark.engine.cell.turn import Request
from PIL import Image

from .conftest import Ask, cells, helper

SAMPLES = sorted(path for path in (Path(__file__).parents[1] / "samples").rglob("*") if path.is_file())
PHOTOGRAPHS = sorted((Path(__file__).parents[2] / "photographs").glob("*.jpg"))
OPTIONS = engine.load_options({"text": "{name} {number}", "copyright": "©", "size": 0.5})
LOGO = "data:image/png;base64,"
START = """
import os, sys, time
from pathlib import Path
from countermark import engine
from countermark.engine import cell
cell.process(Path(sys.argv[1]).read_bytes(), engine.Options(), scope="a")
pool = cell.own_pool()
print(pool.helper.pid, *(each.pid for each in pool.waiting), flush=True)
time.sleep(60)
"""


def outcome(process: Callable[..., engine.Edited], path: Path, options: engine.Options) -> object:
    """The result of a file, or its error."""
    try:
        return process(path.read_bytes(), options, name=path.name, number=3)
    except engine.ImageError as error:
        return type(error), str(error)


@pytest.mark.parametrize("path", [*SAMPLES, *PHOTOGRAPHS[:2]], ids=lambda path: path.name)
def test_a_cell_makes_the_same_bytes(path: Path) -> None:
    assert outcome(cell.process, path, OPTIONS) == outcome(engine.process, path, OPTIONS)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "HEIF"])
def test_a_cell_makes_the_same_bytes_of_every_format(make: Callable[..., bytes], form: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(make(form))
    for wanted in ("keep", "jpeg", "webp", "tiff"):
        options = engine.load_options({"text": "A", "size": 0.9, "format": wanted, "quality": 70})
        assert outcome(cell.process, path, options) == outcome(engine.process, path, options)


def test_a_large_file_goes_there_and_back(make: Callable[..., bytes]) -> None:
    source = make("BMP", size=(2100, 1500))
    assert len(source) > 2 * PIECE
    assert cell.process(source, OPTIONS, scope="large") == engine.process(source, OPTIONS)


def test_a_preview_is_the_same(make: Callable[..., bytes]) -> None:
    assert cell.preview(make("PNG"), OPTIONS, longest=100) == engine.preview(make("PNG"), OPTIONS, longest=100)


def test_a_cell_works_for_one_scope(ask: Ask) -> None:
    for scope in ("a", "b", "a"):
        ask("nothing", scope=scope)
    kept = {each.scope: each for each in cell.own_pool().waiting}
    assert {"a", "b"} <= set(kept)
    assert kept["a"].images > kept["b"].images
    before = len(cell.own_pool().waiting)
    ask("nothing", scope=None)
    assert len(cell.own_pool().waiting) == before, "without a scope it is for one image alone"


def test_this_kernel_locks_cells(ask: Ask) -> None:
    ask("nothing")
    assert helper().missing == []
    status = Path(f"/proc/{cells()[0].pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status


@pytest.mark.parametrize("lock", ["_landlock", "_seccomp"])
def test_one_lock_alone_keeps_files_away(lock: str) -> None:
    """Each is the other's second net."""
    code = f"from countermark.engine.cell import locks\nassert locks.{lock}()\nopen('/etc/passwd')"
    code = code.replace("assert", "locks._libc.prctl(38, 1, 0, 0, 0)\nassert")
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "PermissionError" in ended.stderr


def test_the_filter_ends_every_way_with_a_verdict() -> None:
    for machine in locks._CALLS:
        lines = list(locks._filter(machine, 1))
        assert lines[-1][0] == locks._RETURN
        for number, (code, yes, no, _) in enumerate(lines):
            if code != locks._RETURN:
                assert number + 1 + max(yes, no) < len(lines)


def test_a_cell_knows_no_secret_and_has_no_open_file_but_its_line(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = secrets.token_hex(32)
    monkeypatch.setenv("S3_SECRET_KEY", secret)
    read, write = os.pipe()
    os.set_inheritable(write, True)
    cell.close()
    ask("nothing")
    for each in [helper(), *cell.own_pool().waiting]:
        assert secret.encode() not in Path(f"/proc/{each.pid}/environ").read_bytes()
        assert secret.encode() not in memory_of(each.pid)
        assert b"hostile" in memory_of(each.pid), "the memory is read"
    assert secret.encode() in memory_of(os.getpid())
    for own in cells():
        files = {str(path.readlink()) for path in Path(f"/proc/{own.pid}/fd").iterdir()}
        assert {name.partition(":")[0] for name in files} == {"/dev/null", "socket", "/memfd"}
    os.close(read)
    os.close(write)


def memory_of(pid: int) -> bytes:
    """What is written in a process's own memory."""
    whole = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            low, high, flags, name = re.match(r"(\w+)-(\w+) (\S+) \S+ \S+ \S+\s*(.*)", line).groups()  # type: ignore[union-attr]
            if flags.startswith("rw") and name not in {"[vvar]", "[vsyscall]"}:
                memory.seek(int(low, 16))
                whole.append(memory.read(int(high, 16) - int(low, 16)))
    return b"".join(whole)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_cells_end_with_their_process(number: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", START, str(PHOTOGRAPHS[0])], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    left = [int(word) for word in process.stdout.readline().split()]
    assert len(left) == 2
    process.send_signal(number)
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 5
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in left):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_nobody_uses_ends(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "IDLE_SECONDS", 0.2)
    monkeypatch.setattr(pool_module, "ASLEEP_SECONDS", 0.4)
    cell.close()
    ask("nothing")
    deadline = time.monotonic() + 5
    while cell.own_pool().helper is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert cell.own_pool().budget.used == 0


def test_a_logo_is_looked_at_in_a_cell(make: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    ask = Pool.ask
    monkeypatch.setattr(Pool, "ask", lambda *given: seen.append(given[1].said["do"]) or ask(*given))
    image = LOGO + base64.b64encode(make("PNG", "RGBA", size=(31, 17))).decode()
    options = engine.load_options({"image": image})
    assert seen == ["look"]
    assert cell.process(make("JPEG"), options) == engine.process(make("JPEG"), options)
    with pytest.raises(engine.InvalidOptions, match="no PNG, WebP or JPEG"):
        engine.load_options({"image": LOGO + base64.b64encode(b"\x89PNG\r\n\x1a\n rubbish").decode()})


MIB = 1024 * 1024


def test_where_there_are_no_cells_it_is_said_once(
    make: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(calls, "has_cells", lambda: False)
    monkeypatch.setattr(Pool, "ask", None)
    calls._say_that_there_are_none.cache_clear()
    for _ in range(2):
        assert cell.process(make("JPEG"), OPTIONS) == engine.process(make("JPEG"), OPTIONS)
    assert [each.message for each in caplog.records] == ["images are decoded without cells: they need Linux"]


def test_what_a_kernel_lacks_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    pool_module._say_what_is_missing.cache_clear()
    for _ in range(2):
        pool_module._say_what_is_missing(("Landlock", "seccomp"))
    assert [each.message for each in caplog.records] == [
        "images are decoded in cells with fewer locks: this kernel lacks Landlock and seccomp"
    ]


def test_memory_is_shared_out_and_waited_for() -> None:
    own = budget.Budget(100)
    own.hold(60, 0)
    with pytest.raises(cell.CellBusy):
        own.hold(60, time.monotonic() + 0.05)
    with pytest.raises(engine.TooLargeHere):
        own.hold(101, time.monotonic() + 1)
    threading.Timer(0.1, own.free, [60]).start()
    own.hold(60, time.monotonic() + 5)
    assert own.used == 60


def test_who_waits_for_memory_first_is_served_first() -> None:
    """Many small images never keep a large one waiting for ever."""
    own = budget.Budget(100)
    own.hold(60, 0)
    served = []

    def wait(size: int) -> None:
        own.hold(size, time.monotonic() + 20)
        served.append(size)

    with ThreadPoolExecutor(2) as threads:
        threads.submit(wait, 80)
        while not own.waiting:
            time.sleep(0.01)
        with pytest.raises(cell.CellBusy):
            own.hold(10, time.monotonic() + 0.05)
        threads.submit(wait, 10)
        own.free(60)
    assert served == [80, 10]
    assert (own.used, own.waiting) == (90, 0)


def test_images_that_do_not_fit_together_wait_for_each_other(
    make: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each needs more than half, and has begun before it is known."""
    monkeypatch.setattr(pool_module, "UNASKED", 0)
    later = []
    monkeypatch.setattr(
        pool_module.Later, "__init__", lambda self, size: later.append(size) or setattr(self, "size", size)
    )
    source = make("BMP", size=(2000, 1500))
    own = Pool(total=250 * MIB)
    ends: list[object] = []

    def ask() -> None:
        request = Request(
            {"do": "process", "name": "a", "number": 1, "limits": {}}, source, engine.Options(), "a", 60, 9 * MIB
        )
        ends.append(own.ask(request, lambda told, _: told["width"]))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    own.close()
    assert ends == [2000] * 3
    assert later
    assert own.budget.used == 0


def test_an_image_that_never_fits_is_refused(make: Callable[..., bytes]) -> None:
    own = Pool(total=100 * MIB)
    request = Request(
        {"do": "process", "name": "a", "number": 1, "limits": {}}, make("BMP", size=(2000, 1500)), OPTIONS, "a", 60, 0
    )
    with pytest.raises(engine.TooLargeHere, match="MiB"):
        own.ask(request, lambda told, _: told)
    own.close()
    assert own.budget.used == 0


def test_the_limit_of_memory_is_the_least_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMORY_LIMIT", "64Mi")
    assert budget.memory_limit() == 64 * MIB
    monkeypatch.setenv("MEMORY_LIMIT", "much")
    with pytest.raises(ValueError, match="MEMORY_LIMIT"):
        budget.memory_limit()


def test_a_large_photograph_without_its_end_has_the_memory_that_it_needs() -> None:
    """Whether no more than the end is missing takes two pictures more."""
    buffer = BytesIO()
    Image.radial_gradient("L").resize((6000, 4000)).convert("RGB").save(buffer, "JPEG", progressive=True)
    result = cell.process(buffer.getvalue()[:-2], engine.load_options({"text": "a"}))
    assert (result.width, result.height) == (6000, 4000)


@pytest.mark.parametrize("process", [engine.process, cell.process, cell.preview])
@pytest.mark.parametrize("wrong", [{"name": "a" * 70_000}, {"number": 10**5000}, {"number": 0}, {"longest": -1}])
def test_wrong_arguments_are_the_callers_error(
    make: Callable[..., bytes], process: Callable[..., engine.Edited], wrong: dict[str, object]
) -> None:
    if "longest" in wrong and process is not cell.preview:
        return
    with pytest.raises(ValueError, match=r"characters|is a number from 1"):
        process(make("PNG"), OPTIONS, **wrong)


def test_both_threads_that_come_first_get_one_pool() -> None:
    cell.close()
    start = threading.Barrier(8)

    def pool() -> int:
        start.wait()
        return id(cell.own_pool())

    with ThreadPoolExecutor(8) as threads:
        assert len({each.result() for each in [threads.submit(pool) for _ in range(8)]}) == 1


def test_a_wait_for_memory_takes_nothing_of_the_time_to_work(
    make: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Pool(total=400 * MIB)
    left = []
    serve = Pool._serve
    monkeypatch.setattr(
        Pool, "_serve", lambda self, turn, read: left.append(turn.until - time.monotonic()) or serve(self, turn, read)
    )
    own.budget.hold(own.budget.total, 0)
    threading.Timer(0.5, own.budget.free, [own.budget.total]).start()
    request = Request({"do": "look"}, make("PNG"), None, None, 20, 0)
    own.ask(request, lambda told, _: told)
    own.close()
    assert left[0] > pool_module.WALL * 20 - 0.3


def test_a_result_is_not_lost_with_the_helper(make: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """It may die while the cell is put back that has made it."""

    def order(_: keeper.Helper) -> None:
        raise cell.CellLost

    cell.close()
    monkeypatch.setattr(keeper.Helper, "order", order)
    for scope in ("a", None):
        assert cell.process(make("JPEG"), OPTIONS, scope=scope).format == "JPEG"
    assert cell.own_pool().budget.used == pool_module.BASE
    cell.close()
    assert cell.own_pool().budget.used == 0


def test_a_result_is_of_the_format_that_the_cell_says(make: Callable[..., bytes]) -> None:
    told = {"format": "PNG", "width": 1, "height": 1, "frames": 1, "notes": []}
    assert calls._edited(told, make("PNG")).format == "PNG"
    with pytest.raises(Malformed):
        calls._edited(told, make("JPEG"))


@pytest.mark.parametrize("form", ["PNG", "WEBP", "AVIF"])
def test_a_large_picture_of_any_format_is_opened_with_the_memory_that_it_needs(form: str) -> None:
    """Some decoders take theirs before a frame is known."""
    buffer = BytesIO()
    settings = {"WEBP": {"lossless": True, "quality": 0, "method": 0}, "AVIF": {"speed": 10}}.get(form, {})
    Image.new("L", (8000, 4500), 90).convert("RGB").save(buffer, form, **settings)
    options = engine.load_options({"tasks": [{"task": "resize", "width": 80}], "format": "jpeg"})
    assert cell.process(buffer.getvalue(), options).width == 80


def test_a_cell_may_ask_for_memory_as_often_as_an_image_needs_more() -> None:
    """For its logo, its coefficients, its pixels, and for both anew with the end that is missing."""
    logo, source = BytesIO(), BytesIO()
    mark = Image.new("RGBA", (3500, 3500))
    mark.paste("red", (0, 0, 3000, 3000))
    mark.save(logo, "PNG")
    image = LOGO + base64.b64encode(logo.getvalue()).decode()
    settings = {"progressive": True, "subsampling": 0, "restart_marker_blocks": 8}
    Image.radial_gradient("L").resize((6000, 4000)).convert("RGB").save(source, "JPEG", **settings)
    options = engine.load_options({"image": image, "size": 0.9, "position": "center"})
    assert cell.process(source.getvalue()[:-40], options).width == 6000


@pytest.mark.usefixtures("ask")
def test_a_machine_of_many_processors_writes_what_a_small_one_does(make: Callable[..., bytes]) -> None:
    """Threads of a codec take memory of its cell."""
    options = engine.load_options({"task": "hostile", "deed": "nothing", "format": "avif"})
    assert cell.process(make("JPEG", size=(1500, 1000)), options).format == "AVIF"
