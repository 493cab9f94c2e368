"""The helper: a fresh interpreter with one thread that has loaded all that a cell needs, and forks cells.

It is started before it could know a secret: with a clean environment, and with no open file but its line. A cell is a
copy of it, so what it has read and tried out is there at once, in memory that all cells share.

It is told `fork` and answers with a cell's number, its socket and its shared memory; `end` and a number, and answers
how that cell ended. It ends with its line, and its cells end with it.
"""

import contextlib
import encodings
import gc
import importlib
import itertools
import json
import os
import pkgutil
import signal
import socket
import sys
import time
from io import BytesIO

from PIL import Image

from ..assets import assets
from ..errors import ImageError
from ..fonts import load_font
from ..formats import FORMATS
from ..image_mark import load_mark
from ..options import InvalidOptions, load_options
from ..process import preview, process
from ..task import prepare_tasks
from . import place, protocol
from .locks import die_with_parent, lock
from .tasks import Modules, import_modules
from .work import work

_ENGINE = __package__.rpartition(".")[0]
_TRIED: tuple[dict[str, object], ...] = ({}, {"text": "Aa {year|}", "position": "auto", "blend": "multiply"})
_MODES = {
    "PNG": ("RGBA", "P", "I;16"),
    "GIF": ("P",),
    "TIFF": ("CMYK", "I;16", "L"),
    "JPEG": ("CMYK", "L"),
    "WEBP": ("RGBA",),
}
_LATE = ("numpy.ma",)  # which NumPy loads itself when it is first asked for
_WRITTEN = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF")
_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="3"/></rdf:RDF></x:xmpmeta>'
)
_CARRYING = {"exif": {"JPEG", "PNG", "WEBP", "TIFF"}, "xmp": {"JPEG", "WEBP"}}
_STILL_ALONE_SECONDS = 2.0
_MOST_FILES = 4096  # more than a helper has open


def main(descriptor: int, modules: Modules) -> None:
    """Load, say so, and fork until the line ends."""
    place.enter()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # it ends when its line does, after its cells
        signal.signal(number, signal.SIG_IGN)
    line = socket.socket(fileno=descriptor)
    try:
        load(modules)
    except Exception as error:
        line.send(_packed({"failed": f"{type(error).__name__}: {error}"[:1000]}))
        return
    line.send(_packed({"ready": True}))
    with contextlib.suppress(ConnectionError):
        _serve(line)


def load(modules: Modules) -> None:
    """Load fonts, marks, tasks and codecs, and try them, so that nothing has to be opened later."""
    for module in pkgutil.walk_packages(sys.modules[_ENGINE].__path__, f"{_ENGINE}."):
        if not module.name.endswith("._native"):  # which is a library in C, and no module
            importlib.import_module(module.name)
    for name in _LATE:
        importlib.import_module(name)
    import_modules(modules)
    own = assets()
    for name in own.fonts:
        with contextlib.suppress(OSError):  # options that name it are refused before they come to a cell
            load_font(name)
    for name in own.marks:
        with contextlib.suppress(OSError, ValueError):
            load_mark(name)
    Image.init()
    for module in pkgutil.iter_modules(encodings.__path__):  # metadata may be in any; 4 MB, which all cells share
        with contextlib.suppress(ImportError):  # some are of other systems
            importlib.import_module(f"encodings.{module.name}")
    _rehearse()
    prepare_tasks()
    _wait_until_alone()
    gc.collect()
    gc.freeze()  # a collection writes to whatever it looks at, and what is written to is shared no more


def _rehearse() -> None:
    """Mark small pictures of every format, since some modules are imported late."""
    picture = Image.radial_gradient("L").resize((640, 480)).convert("RGB")
    exif = Image.Exif()
    more = {"exif": exif, "xmp": _XMP}
    exif[0x0132] = exif[0x9003] = "2026:01:01 00:00:00"
    for name in _WRITTEN:
        file = BytesIO()
        try:
            picture.save(file, name, **{key: value for key, value in more.items() if name in _CARRYING[key]})
        except (KeyError, OSError):  # this Pillow was built without it
            continue
        for given in _TRIED:
            for other in ({}, {"format": "jpeg", "quality": 80, "creator": "a", "copyright": "b", "usage_terms": "c"}):
                process(file.getvalue(), load_options({**given, **other}))
        preview(file.getvalue(), load_options({}), longest=100)
        _convert(picture, name)


def _convert(picture: Image.Image, name: str) -> None:
    """Make every format of a small picture of every kind."""
    small = picture.resize((48, 32))
    for mode in ("RGB", *_MODES.get(name, ())):
        file = BytesIO()
        (small.convert("L") if mode == "I;16" else small).convert(mode).save(file, name)
        for wanted in FORMATS:
            with contextlib.suppress(ImageError, InvalidOptions):
                process(file.getvalue(), load_options({"task": "resize", "width": 24, "format": wanted.lower()}))


def _wait_until_alone() -> None:
    """Wait for the threads that a codec has left behind: a fork has only the thread that asked for it."""
    end = time.monotonic() + _STILL_ALONE_SECONDS
    while len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 - of names alone
        if time.monotonic() > end:
            raise RuntimeError("a task or a codec has started a thread that goes on")
        time.sleep(0.01)


def _serve(line: socket.socket) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    cells: set[int] = set()
    while order := line.recv(100).split():
        if order[0] == b"fork":
            cells.add(_fork(line, null))
        else:
            pid = int(order[1])
            os.kill(pid, signal.SIGKILL)  # one that has ended stays known until it is waited for
            cells.remove(pid)
            line.send(_packed({"ended": os.waitpid(pid, 0)[1]}))


def _fork(line: socket.socket, null: int) -> int:
    """Make a cell, and hand out its line."""
    area = protocol.make_area()
    outside, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    helper = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            die_with_parent()
            if os.getppid() == helper:
                _begin(inside, area, null)
        finally:
            os._exit(1)
    socket.send_fds(line, [_packed({"forked": pid})], [outside.fileno(), area])
    outside.close()
    inside.close()
    os.close(area)
    return pid


def _begin(inside: socket.socket, area: int, null: int) -> None:
    """Be a cell: with nothing open but its line, and locked."""
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    kept = sorted({2, inside.fileno(), area})
    for low, high in itertools.pairwise([*kept, _MOST_FILES]):
        os.closerange(low + 1, high)
    own = protocol.Line(inside, area)
    own.send({"missing": lock()})
    work(own)


def _packed(message: dict[str, object]) -> bytes:
    return json.dumps(message).encode()
