"""The commands of the one-machine platform."""

import json
import os
import sys
import tempfile
import time
from argparse import ArgumentParser, ArgumentTypeError
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from infra.credentials import FOR_PEOPLE
from infra.errors import InfraError, PlatformError
from infra.local import supervise
from infra.local.folder import DataFolder
from infra.local.machine import LOOPBACK, PublicAddress
from infra.local.ports import pick_free_port
from infra.local.run import running_platform
from infra.local.stores import Store
from infra.local.watch import watch
from infra.project import ROOT

SECONDS_BETWEEN_LOOKS = 5.0
INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""
RED, GREEN = 31, 32

say = partial(print, flush=True)
"""What is said is read at once, and by no fork said again."""


def main() -> None:
    """Run the command line; what a person can fix is reported in a line."""
    given = vars(_parser().parse_args())
    command = given.pop("command")
    try:
        command(**given)
    except InfraError as error:
        print(_colored(str(error), RED, sys.stderr), file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


def up(data: Path, port: int, host: str, store: Store) -> None:
    """Start everything and stay until Ctrl-C; data are kept for the next time."""
    folder, address = DataFolder(data.resolve()), PublicAddress(host, port)
    started = time.monotonic()
    try:
        with running_platform(folder, address, store, say) as running:
            _welcome(folder, address, time.monotonic() - started)
            watching = watch(folder, running.processes, say)
            while running.supervisor.poll() is None:
                watching.look(supervise.states(folder))
                time.sleep(SECONDS_BETWEEN_LOOKS)
            raise PlatformError(f"The supervisor ended; see {folder.logs / 'supervisord.log'}.")
    except KeyboardInterrupt:
        say("Your data is kept.")


def _welcome(folder: DataFolder, address: PublicAddress, seconds: float) -> None:
    lines = [
        f"Ready after {seconds:.1f} s. Ctrl-C stops it.",
        "",
        f"  Page      {address.url}/",
        f"  Function  curl -f --data-binary @photo.jpg '{address.url}/function/watermark?text=Mine' -o marked.jpg",
    ]
    credentials = folder.secrets / FOR_PEOPLE
    if credentials.is_file():
        lines += [
            f"  Drop      AWS_SHARED_CREDENTIALS_FILE={credentials} \\",
            f"            aws --endpoint-url {address.url} s3 cp photo.jpg s3://drop/wedding/",
            "            marked copies: s3://results/drop/wedding/, then s3://results/drop/wedding.zip",
        ]
    lines += [f"  Logs      {folder.logs}"]
    say("\n".join(lines))


def demo(target: Path, store: Store) -> None:
    """Mark the sample photographs on a platform that starts and stops for it, and write the ZIP here."""
    from infra.local.demo import run_demo  # here and below: what others would keep in memory for nothing

    with tempfile.TemporaryDirectory(prefix="countermark-") as temporary:
        folder, address = DataFolder(Path(temporary) / "data"), PublicAddress(LOOPBACK, pick_free_port())
        with running_platform(folder, address, store, say):
            run_demo(address.url, target.resolve(), say)


def status(data: Path) -> None:
    """Say what runs, and where it is reached."""
    folder = DataFolder(data.resolve())
    found = supervise.states(folder)
    if not found:
        raise PlatformError(f"Nothing runs on {folder.root}.")
    for name, process in found.items():
        say(f"  {name:<14}{process['statename'].lower():<10}{process['description']}")
    if folder.running.is_file():
        say(f"  {'page':<14}{json.loads(folder.running.read_text())['url']}/")
    say(f"  {'logs':<14}{folder.logs}")


def doctor(data: Path, port: int, host: str, store: Store) -> None:
    """Say what the platform needs on this machine, and what is missing."""
    from infra.local.doctor import examine

    findings = list(examine(DataFolder(data.resolve()), port, PublicAddress(host, port).hosts, store))
    for finding in findings:
        mark = _colored("ok  ", GREEN, sys.stdout) if finding.good else _colored("no  ", RED, sys.stdout)
        say(f"  {mark}{finding.name:<12}{finding.text}")
    if not all(finding.good for finding in findings if finding.needed):
        raise SystemExit(1)


def _parser() -> ArgumentParser:
    """What the commands are given. A larger library for it would stay in memory as long as the platform runs."""
    parser = ArgumentParser(
        prog="python -m infra.local",
        description="Countermark on one machine: real servers, the connector and the functions, without Docker.",
    )
    commands = parser.add_subparsers(required=True, metavar="up|demo|status|doctor")
    options = _options()
    for command, taken in (
        (up, ("data", "port", "host", "store")),
        (demo, ("target", "store")),
        (status, ("data",)),
        (doctor, ("data", "port", "host", "store")),
    ):
        own = commands.add_parser(command.__name__, help=command.__doc__, description=command.__doc__)
        own.set_defaults(command=command)
        for name in taken:
            own.add_argument(f"--{name}", **options[name])
    return parser


def _options() -> dict[str, dict[str, Any]]:
    """Each option; the environment stands for one that is not given."""
    stores = " or ".join(Store)
    return {
        "data": _option("FOLDER", "COUNTERMARK_DATA", ROOT / ".countermark", _folder, "the folder for all data"),
        "port": _option("PORT", "PORT", 8080, _port, "the public port"),
        "host": _option("ADDRESS", "HOST_ADDRESS", LOOPBACK, str, "the address to listen on, 0.0.0.0 for all"),
        "store": _option("NAME", "STORE", Store.SEAWEEDFS, _store, f"the object store, {stores}, which is built first"),
        "target": {
            "type": _file,
            "default": "countermark-demo.zip",
            "metavar": "FILE",
            "help": "the ZIP to write (default: %(default)s)",
        },
    }


def _option(name: str, variable: str, default: object, kind: Any, text: str) -> dict[str, Any]:
    return {
        "type": kind,
        "default": os.environ.get(variable) or str(default),  # a text, so that it is looked at as one that is given
        "metavar": name,
        "help": f"{text} (default: {default}; environment: {variable})".replace("%", "%%"),
    }


def _folder(text: str) -> Path:
    path = Path(text)
    if not text:
        raise ArgumentTypeError("the name of the folder is empty")
    if path.exists() and not path.is_dir():
        raise ArgumentTypeError(f"{text} is a file, not a folder")
    return path


def _file(text: str) -> Path:
    path = Path(text)
    if path.is_dir():
        raise ArgumentTypeError(f"{text} is a folder, not a file")
    if not os.access(path.parent, os.W_OK):
        raise ArgumentTypeError(f"there is no folder {path.parent}, or nothing can be written there")
    return path


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= 65535):
        raise ArgumentTypeError(f"{text!r} is no port: give a number from 1 to 65535, here or as PORT")
    return int(text)


def _store(text: str) -> Store:
    if text not in set(Store):
        raise ArgumentTypeError(f"{text!r} is no store: give {' or '.join(Store)}, here or as STORE")
    return Store(text)


def _colored(text: str, color: int, stream: TextIO) -> str:
    return f"\033[{color}m{text}\033[0m" if stream.isatty() else text
