"""Machines to plan for, without anything that is on this one."""

from pathlib import Path
from typing import Any

from countermark.settings import Settings

from infra.local.folder import DataFolder
from infra.local.machine import SECRETS, Machine, PublicAddress
from infra.local.plan import plan, port_names
from infra.local.process import Process
from infra.local.stores import Store
from infra.project import STACK
from infra.stack import Stack, read_stack

CORES = 2


def stack() -> Stack:
    """Three of the project's functions."""
    whole = read_stack(STACK, {})
    return whole.model_copy(
        update={"functions": {name: whole.functions[name] for name in ("upload", "watermark", "status")}}
    )


def machine(root: Path, store: Store = Store.SEAWEEDFS, **changes: Any) -> Machine:
    """A machine with a data folder that is not there yet."""
    names = port_names(stack(), store, CORES)
    values: dict[str, Any] = {
        "folder": DataFolder(root),
        "address": PublicAddress("127.0.0.1", 8080),
        "environ": {"PATH": "/usr/bin"},
        "ports": {name: number for number, name in enumerate(names, 20_001)},
        "secrets": {name: f"{name}-of-this-machine" for name in SECRETS},
        "store": store,
        "store_program": Path("/usr/bin/store"),
        "cores": CORES,
    }
    return Machine(**values | changes)


def processes(machine: Machine) -> dict[str, Process]:
    """What is planned for it, by name."""
    settings = Settings(**machine.settings)  # type: ignore[arg-type]
    return {process.name: process for process in plan(settings, stack(), machine)}
