"""The platform on a forgetful disk, and what is needed to look into it and to cut its power."""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from configparser import RawConfigParser
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pg8000.native
import psutil
from botocore.config import Config

from infra.local import supervise
from infra.local.leftovers import find_leftovers, kill_leftovers
from infra.local.ports import pick_free_port
from infra.local.postgres import BINARIES
from tests.chaos.disk import Disk, clean_up, freeze_and_kill
from tests.platform_driver import Platform

FOLDER = Path("/tmp/countermark-chaos")
"""Always the same, so that what a killed run has left is found: mounts, processes, files."""

UPLOAD_SECONDS = 120
"""After so long an upload whose client got no acknowledgement is over."""

SERVERS = ("nats", "postgres", "seaweedfs", "minio", "caddy")

SETTINGS = {
    "IMAGE_ATTEMPTS": "10000",  # random kills can't reach it
    "ARCHIVE_ATTEMPTS": "10000",
    "DROP_QUIET": "3",
    "UPLOAD_SECONDS": str(UPLOAD_SECONDS),
    "JOB_LIFETIME": "21600",  # longer than the clock is moved
}


class World:
    """A platform whose data are on a forgetful disk."""

    def __init__(self, folder: Path) -> None:
        self.disk = Disk(folder)
        self.folder = folder
        self.port = pick_free_port()
        self.platform = Platform(self.disk.mount / "data", self.port, SETTINGS)

    def start(self) -> float:
        """Start the platform; returns after how many seconds it was ready."""
        return self.platform.open()

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        self.platform.close()

    def change_environment(self, name: str, group: str, variables: dict[str, str]) -> None:
        """Give one process more variables until the platform's next start; its whole group starts again."""
        path = self.platform.folder.configuration / "supervisord.conf"
        configuration = RawConfigParser()
        configuration.read(path, encoding="utf-8")
        more = ",".join(f'{key}="{value}"' for key, value in variables.items())
        program = configuration[f"program:{name}"]
        program["environment"] = f"{program['environment']},{more}" if program.get("environment") else more
        with path.open("w", encoding="utf-8") as file:
            configuration.write(file)
        with supervise.connected(self.platform.folder) as supervisor:
            supervisor.reloadConfig()
            supervisor.stopProcessGroup(group)
            supervisor.removeProcessGroup(group)
            supervisor.addProcessGroup(group)

    @contextmanager
    def only_servers(self) -> Iterator[None]:
        """Nothing of ours runs meanwhile, but the servers do."""
        ours = [name for name in self.platform.all_pids() if name not in SERVERS]
        for name in ours:
            self.platform.stop(name)
        yield
        for name in ours:
            self.platform.start(name)

    def kill(self) -> None:
        """End every process of the platform as if at one moment."""
        for _ in range(5):
            if not (pids := self._pids()):
                break
            freeze_and_kill(pids)
            if self.platform.is_up:
                self.platform.up.wait()
            psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=10)
        assert not self._pids(), "processes of the platform can't be killed"

    def _pids(self) -> list[int]:
        first = [self.platform.up.pid] if self.platform.is_up else []
        found = [process.pid for process in find_leftovers(self.platform.folder)]
        return first + [pid for pid in found if pid not in first]

    def cut_power(self, seed: int) -> float:
        """Cut the power and start again; returns the seconds until the platform was ready.

        Args:
            seed: 0 loses everything that was not synced, another number a part of it.
        """
        self.kill()
        self.disk.cut_power(seed)
        return self.start()

    # ---- A look inside ----

    def rows(self, sql: str, **values: Any) -> list[Any]:
        """Ask the database."""
        url = urlsplit(self.platform.secret("database-url"))
        connection = pg8000.native.Connection(
            url.username or "",
            host=url.hostname or "",
            port=url.port or 5432,
            database=url.path[1:],
            password=url.password,
            timeout=20,
        )
        try:
            return connection.run(sql, **values) or []
        finally:
            connection.close()

    @cached_property
    def store(self) -> Any:
        """The object store as its administrator sees it."""
        return boto3.client(
            "s3",
            endpoint_url=self.platform.store_url,
            aws_access_key_id=self.platform.secret("s3-access-key"),
            aws_secret_access_key=self.platform.secret("s3-secret-key"),
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )

    def objects(self, bucket: str) -> set[str]:
        """The keys in a bucket."""
        pages = self.store.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {item["Key"] for page in pages for item in page.get("Contents", [])}

    def keep_evidence(self, folder: Path) -> None:
        """Copy logs and rows to where they stay when the run is over."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.platform.folder.logs, folder / "logs")
        for table in ("jobs", "images", "ledger", "outbox"):
            lines = [repr(row) for row in self.rows(f"SELECT row_to_json(t)::text FROM {table} t")]
            (folder / f"{table}.txt").write_text("\n".join(lines), encoding="utf-8")


@contextmanager
def opened_world() -> Iterator[World]:
    """A world with a running platform; nothing of it is left afterwards, nor of an earlier one that was killed."""
    FOLDER.mkdir(exist_ok=True)
    with Path(f"{FOLDER}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"A chaos test runs already in {FOLDER}.") from None
        world = World(FOLDER)
        _clear(world)
        try:
            world.disk.open()
            world.start()
            yield world
            if world.platform.is_up:
                world.stop()
        finally:
            _clear(world)


def _clear(world: World) -> None:
    kill_leftovers(world.platform.folder)
    world.kill()
    world.disk.abandon()
    clean_up(FOLDER)
    shutil.rmtree(FOLDER, ignore_errors=True)


def wait_until_all_run(world: World, seconds: float = 120) -> None:
    """Return when every process runs that is to run."""
    deadline = time.monotonic() + seconds
    while True:
        states = {name: each["statename"] for name, each in supervise.states(world.platform.folder).items()}
        if states and all(state == "RUNNING" for state in states.values()):
            return
        assert time.monotonic() < deadline, f"not all run: {states}"
        time.sleep(0.2)


def dump(world: World, path: Path) -> None:
    """Back the database up while it runs, as an operator does."""
    run_postgres_tool(world, "pg_dump", "--format=custom", f"--file={path}")


def restore(world: World, path: Path) -> None:
    """Replace the database by a backup."""
    how = ["--clean", "--if-exists", "--single-transaction", "--dbname=postgres"]
    run_postgres_tool(world, "pg_restore", *how, str(path))


def run_postgres_tool(world: World, program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs on the platform's database."""
    url = urlsplit(world.platform.secret("database-url"))
    environment = {
        **os.environ,
        "PGHOST": url.hostname or "",
        "PGPORT": str(url.port),
        "PGUSER": url.username or "",
        "PGPASSWORD": url.password or "",
        "PGDATABASE": url.path[1:],
    }
    subprocess.run([str(BINARIES / program), *arguments], check=True, env=environment)
