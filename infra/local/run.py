"""The platform as a whole: its files are written, it starts, and it stops.

The process that stays, to watch, is a small one: whatever takes large libraries is done apart, in a process that ends.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from infra.credentials import generate_secrets, write_private
from infra.errors import PlatformError
from infra.local import postgres, supervise
from infra.local.apart import apart
from infra.local.durable import write_through
from infra.local.folder import DataFolder
from infra.local.health import Wait
from infra.local.interrupts import deaf, interruptible
from infra.local.machine import SECRETS, Machine, PublicAddress
from infra.local.outside import require_what_is_given
from infra.local.ports import pick_ports, require_free
from infra.local.process import Process
from infra.local.stores import Store, require_same_store, store_program
from infra.project import BINARIES, STACK
from infra.servers.seaweedfs import configuration as seaweedfs

SECONDS_TO_STOP = 180

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Running:
    """A platform that works."""

    supervisor: subprocess.Popen[bytes]
    processes: list[Process]


@contextmanager
def running_platform(folder: DataFolder, address: PublicAddress, store: Store, say: Say) -> Iterator[Running]:
    """Start the platform, yield it when all processes work, and stop it at the end.

    SIGINT, SIGTERM and SIGHUP end it as KeyboardInterrupt, at any moment.

    Raises:
        InfraError: it can't start; what was started is stopped again.
    """
    with interruptible(), ExitStack() as reservations:
        folder.create()
        reservations.enter_context(folder.locked())
        folder.running.unlink(missing_ok=True)
        if count := apart(partial(_stop_leftovers, folder)):
            say(f"Stopped {count} processes that an earlier start had left behind.")
        require_free(address.port, address.hosts, reservations)
        machine, processes = _prepare(folder, address, store, reservations, say)
        supervisor = supervise.start(folder, processes)
        try:
            _bring_up(machine, processes, supervisor, say)
            folder.running.write_text(json.dumps({"url": address.url, "process": os.getpid()}), encoding="utf-8")
            yield Running(supervisor=supervisor, processes=processes)
        finally:
            deaf()
            _stop(folder, supervisor, say)


def _prepare(
    folder: DataFolder, address: PublicAddress, store: Store, reservations: ExitStack, say: Say
) -> tuple[Machine, list[Process]]:
    """Decide on ports, which are reserved, and secrets, make the plan, and write its files."""
    environ, cores = supervise.inherited(os.environ), len(os.sched_getaffinity(0))
    runs_store = not environ.get("S3_ENDPOINT")
    if runs_store:
        require_same_store(folder, store)
    require_what_is_given(environ)
    names = apart(partial(_port_names, environ, store, cores))
    machine = Machine(
        folder=folder,
        address=address,
        environ=environ,
        ports=pick_ports(names, folder.ports, reservations, seaweedfs.PORT_OFFSETS),
        secrets=generate_secrets(folder.secrets, SECRETS),
        store=store,
        store_program=store_program(store, say) if runs_store else BINARIES,
        database_owner=postgres.SYSTEM_USER if os.geteuid() == 0 else None,
        cores=cores,
    )
    processes = apart(partial(_plan, machine))
    say(f"Starting Countermark; data in {folder.root}")
    for process in processes:
        if not all(map(write_through, process.synced_folders)):
            say(f"What {process.name} confirms can be lost with the power: its file system does not know chattr +S.")
    if machine.has_database:
        postgres.prepare(folder, machine.secrets["postgres-password"], machine.database_owner)
    return machine, processes


def _stop_leftovers(folder: DataFolder) -> int:
    from infra.local.leftovers import stop_leftovers

    return stop_leftovers(folder)


def _port_names(environ: Mapping[str, str], store: Store, cores: int) -> list[str]:
    """What needs a port, when the functions can work at all."""
    from infra.local.assets import require_assets
    from infra.local.plan import port_names
    from infra.stack import read_stack

    stack = read_stack(STACK, environ)
    require_assets()
    return port_names(stack, store, cores)


def _plan(machine: Machine) -> list[Process]:
    """The processes, whose files are written."""
    from countermark.settings import InvalidSettings, Settings, load_settings

    from infra.local.plan import plan
    from infra.stack import read_stack

    try:
        settings = load_settings(Settings, **machine.settings)
    except InvalidSettings as error:
        raise PlatformError(str(error)) from None
    processes = plan(settings, read_stack(STACK, machine.environ), machine)
    write_files(machine.folder, processes)
    supervise.configure(machine.folder, processes)
    return processes


def write_files(folder: DataFolder, processes: Iterable[Process]) -> None:
    """Write what the processes read; what an earlier start gave them to know is gone."""
    for path in folder.secrets.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    for process in processes:
        for path in (*process.folders, *process.synced_folders):
            path.mkdir(mode=0o700, exist_ok=True)
        for file in process.files:
            file.path.parent.mkdir(mode=0o700, exist_ok=True)
            write_private(file.path, file.text, file.mode)


def _bring_up(machine: Machine, processes: list[Process], supervisor: subprocess.Popen[bytes], say: Say) -> None:
    """Wait for the processes; the connector comes last, for it calls all others."""

    def report(name: str, seconds: float) -> None:
        say(f"  {name:<14}ready after {seconds:4.1f} s")

    wait = Wait(machine.folder, supervisor, report)
    wait.until_healthy([each for each in processes if each.group == "servers"])
    apart(partial(_set_up_store, machine))
    wait.until_healthy([each for each in processes if each.group != "servers" and each.starts_at_once])
    late = [each for each in processes if not each.starts_at_once]
    for each in late:
        supervise.start_process(machine.folder, each)
    wait.until_healthy(late)


def _set_up_store(machine: Machine) -> None:
    """All of it in a store of ours; in another one the buckets, and who may do what there is its holder's business."""
    from countermark.settings import load_settings

    from infra.store.settings import StoreSettings
    from infra.store.setup import SetUpError, set_up, set_up_what_every_store_has

    settings = load_settings(StoreSettings, **machine.settings)
    try:
        if machine.pairs:
            set_up(settings, machine.pairs, lambda _line: None)
        else:
            set_up_what_every_store_has(settings, lambda _line: None)
    except SetUpError as error:
        raise PlatformError(f"The object store can't be set up: {error}") from error


def _stop(folder: DataFolder, supervisor: subprocess.Popen[bytes], say: Say) -> None:
    """Stop what runs: the connector and the functions drain, then Caddy, then the servers."""
    from infra.local.leftovers import kill_leftovers

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
