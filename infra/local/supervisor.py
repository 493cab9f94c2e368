"""The supervisor's process: supervisord, which starts our own Python programs as forks of itself.

    python -m infra.local.supervisor --configuration FILE

It has read the library and the connector before the first start, once for all of them. A copy of a function is then
there at once, and has no memory of its own but what it changes. What is loaded is as old as the supervisor: changed
code of the library works after the next `make up`. Every other program is started as anywhere.
"""

import ctypes
import gc
import importlib
import os
import runpy
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import countermark
from supervisor import supervisord
from supervisor.options import ServerOptions

import infra.connector
from infra.local.supervise import SUPERVISOR

PR_SET_NAME = 15
LEFT_OUT = {"__main__", "testing"}


class Options(ServerOptions):  # type: ignore[misc]
    """What supervisord asks of the system, but for how a program begins."""

    def execve(self, filename: str, argv: list[str], env: Mapping[str, str]) -> None:
        """Become a program: called in the child, which has its user, folder and open files already."""
        if argv[0] == sys.executable:
            os._exit(_run(argv[1:], env))
        os.execve(filename, argv, env)  # noqa: S606 -- of our own configuration


def main() -> None:
    """Load what the programs share, and supervise until told to stop."""
    _load()
    _name(SUPERVISOR)
    options = Options()
    options.realize(doc=__doc__)
    options.first, options.test = True, False
    supervisord.go(options)


def _load() -> None:
    # structlog would load it for the colours of a terminal, which no function has.
    sys.modules["rich"] = None  # type: ignore[assignment]
    for package in (countermark, infra.connector):
        for folder in package.__path__:
            for path in sorted(Path(folder).rglob("*.py")):
                words = [package.__name__, *path.relative_to(folder).with_suffix("").parts]
                if words[-1] not in LEFT_OUT:
                    importlib.import_module(".".join(words).removesuffix(".__init__"))
    _rehearse()
    gc.collect()
    gc.freeze()  # a collection writes to whatever it looks at, and what is written to is shared no more


def _rehearse() -> None:
    """Do once what every function does first, so that what the interpreter and the libraries keep of it is shared."""
    from wsgiref.util import setup_testing_defaults

    from countermark.http.application import make_app
    from countermark.http.leaving import Leaving
    from countermark.settings import LimitSettings, load_settings
    from flask import Response

    load_settings(LimitSettings)
    request = {"PATH_INFO": "/_/health"}
    setup_testing_defaults(request)
    Response.from_app(make_app(lambda _event, _context: "", name="rehearsal", leaving=Leaving()), request)


def _run(words: Sequence[str], env: Mapping[str, str]) -> int:
    """Run `script ...` or `-m module ...` as the interpreter would; returns the exit code, with which the caller exits.

    The caller's frames stay below, with all that supervisord has: nothing of it is cleaned up here, so nothing that was
    registered with atexit is called.
    """
    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(env)
    _name(env["SUPERVISOR_PROCESS_NAME"])
    try:
        if words[0] == "-m":
            sys.argv = [*words[1:]]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = [*words]
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        if not isinstance(end.code, str):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _name(name: str) -> None:
    """Let `top` and `ps -o comm` tell this process by a name: its command line is everybody's."""
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode(), 0, 0, 0)


if __name__ == "__main__":
    main()
