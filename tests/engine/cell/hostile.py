"""A task that does what a decoder might that a stranger's file has taken over."""

import contextlib
import ctypes
import json
import os
import platform
import resource
import signal
import socket
import subprocess
import threading
import time
from typing import Literal

from countermark import engine
from PIL import AvifImagePlugin, Image

SEEN: list[str] = []


@engine.register
class Hostile(engine.ImageTask):
    """Do a deed."""

    task: Literal["hostile"] = "hostile"
    deed: str
    words: str = ""

    @classmethod
    def prepare(cls) -> None:
        """Read what `edit` has no way to."""
        with open(__file__) as file:  # noqa: PTH123
            SEEN.append(file.readline())
        AvifImagePlugin.DEFAULT_MAX_THREADS = 64  # as on a machine with so many processors

    def edit(self, image: Image.Image, picture: engine.Picture) -> Image.Image:
        """Return the picture, if it comes to that."""
        del picture
        globals()[f"_{self.deed}"](self.words)
        return image


def _nothing(words: str) -> None:
    assert SEEN == ['"""A task that does what a decoder might that a stranger\'s file has taken over."""\n'], words


def _open(words: str) -> None:
    open(words or "/etc/passwd")  # noqa: PTH123, SIM115


def _write(_: str) -> None:
    open("/tmp/countermark-hostile", "w")  # noqa: PTH123, SIM115


def _list(_: str) -> None:
    os.listdir("/")  # noqa: PTH208


def _connect(_: str) -> None:
    socket.create_connection(("127.0.0.1", 9))


def _socket(_: str) -> None:
    socket.socket(socket.AF_UNIX)


def _fork(_: str) -> None:
    os.fork()


def _run(_: str) -> None:
    subprocess.run(["/bin/true"], check=True)


def _execute(_: str) -> None:
    os.execv("/bin/true", ["true"])  # noqa: S606


def _kill_parent(words: str) -> None:
    os.kill(int(words), signal.SIGKILL)


def _free_itself(_: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _import(_: str) -> None:
    import wave  # noqa: F401


def _thread(_: str) -> None:
    thread = threading.Thread(target=time.sleep, args=(0.01,))
    thread.start()
    thread.join()


def _allocate(_: str) -> None:
    kept = [bytearray(64_000_000) for _ in range(200)]
    assert not kept


def _spin(_: str) -> None:
    while True:
        pass


def _sleep(_: str) -> None:
    time.sleep(60)


class _Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def _raise(words: str) -> None:
    raise {
        "SystemExit": SystemExit(3),
        "GeneratorExit": GeneratorExit(),
        "BaseExceptionGroup": BaseExceptionGroup("a", [KeyboardInterrupt()]),
        "Speechless": _Speechless(),
        "StopIteration": StopIteration(),
    }[words]


def _clone(_: str) -> None:
    """Start a thread by other flags than a library does: some of them make a network of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = {"x86_64": 56, "aarch64": 220}[platform.machine()]
    if libc.syscall(number, 0x10000 | 0x40000000, None, None, None, None) < 0:
        raise OSError(ctypes.get_errno(), "no clone")


def _leave(_: str) -> None:
    os._exit(0)


def _abort(_: str) -> None:
    os.abort()


def _crash(_: str) -> None:
    ctypes.string_at(0)


def _hang_up(_: str) -> None:
    os.closerange(0, 100)
    time.sleep(60)


def _say(words: str) -> None:
    """Write to whatever is open."""
    data = words.encode() if not words.startswith("*") else b"[" * int(words[1:])
    for descriptor in range(3, 30):
        with contextlib.suppress(OSError):
            os.write(descriptor, data)
    time.sleep(60)


def _lie(words: str) -> None:
    _say(json.dumps({"size": 0, **json.loads(words)}))
