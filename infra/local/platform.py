"""The platform as a whole: how it starts and how it stops."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from countermark.settings import load_settings

from infra.errors import PlatformError
from infra.local import seaweedfs, supervise
from infra.local.caddy import PublicAddress
from infra.local.folder import DataFolder
from infra.local.health import Wait
from infra.local.leftovers import kill_leftovers, stop_leftovers
from infra.local.plan import Plan, make_plan
from infra.local.ports import require_free
from infra.local.stores import Store
from infra.store.settings import StoreSettings
from infra.store.setup import SetUpError, set_up, set_up_what_every_store_has

SECONDS_TO_STOP = 180
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Say = Callable[[str], None]


@contextmanager
def running_platform(
    folder: DataFolder, address: PublicAddress, store: Store, say: Say
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the platform, yield its supervisor when all parts work, and stop it at the end.

    SIGINT, SIGTERM and SIGHUP end it as KeyboardInterrupt, at any moment.

    Raises:
        PlatformError: it can't start; what was started is stopped again.
    """
    for number in STOPPING:
        signal.signal(number, signal.default_int_handler)
    folder.create()
    with folder.locked():
        folder.running.unlink(missing_ok=True)
        if count := stop_leftovers(folder):
            say(f"Stopped {count} processes that an earlier start had left behind.")
        require_free(address.port, address.hosts)
        plan = make_plan(folder, address, store, say)
        supervisor = supervise.start(folder, plan.parts)
        try:
            _bring_up(folder, plan, say)
            folder.running.write_text(json.dumps({"url": address.url, "process": os.getpid()}), encoding="utf-8")
            yield supervisor
        finally:
            for number in STOPPING:
                signal.signal(number, signal.SIG_IGN)  # once is enough
            _stop(folder, supervisor, say)


def _bring_up(folder: DataFolder, plan: Plan, say: Say) -> None:
    """Wait for the parts; the connector comes last, for it calls all others."""
    wait = Wait(folder, report=lambda name, seconds: say(f"  {name:<14}ready after {seconds:4.1f} s"))
    wait.until_healthy([part for part in plan.parts if part.group == "servers"])
    _set_up_store(plan)
    wait.until_healthy([part for part in plan.parts if part.group != "servers" and part.starts_at_once])
    late = [part for part in plan.parts if not part.starts_at_once]
    for part in late:
        supervise.start_part(folder, part)
    wait.until_healthy(late)


def _set_up_store(plan: Plan) -> None:
    """All of it in a store of ours; in another one the buckets, and who may do what there is its holder's business."""
    settings = load_settings(StoreSettings)
    try:
        if plan.pairs:
            set_up(settings, plan.pairs, lambda _line: None)
        else:
            set_up_what_every_store_has(settings, lambda _line: None)
    except SetUpError as error:
        raise PlatformError(f"The object store can't be set up: {error}") from error


def _stop(folder: DataFolder, supervisor: subprocess.Popen[bytes], say: Say) -> None:
    """Stop what runs: the connector and the functions drain, then Caddy, then the servers."""
    say("Stopping ...")
    folder.running.unlink(missing_ok=True)
    supervisor.terminate()
    try:
        supervisor.wait(timeout=SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        supervisor.kill()
        supervisor.wait()
    kill_leftovers(folder)
    seaweedfs.remove_sockets(json.loads(folder.ports.read_text()))
    say("Stopped.")
