"""The data folder: everything that a platform keeps between two starts."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.errors import PlatformError

MARK = "COUNTERMARK_PLATFORM"
"""In the environment of every process of a platform: its data folder."""

SOCKET_PATH_BYTES = 107 - len(".4194304")
"""What the address of a Unix socket may take; the supervisor makes it under a name with its process's id first."""


@dataclass(frozen=True)
class DataFolder:
    """Where things are in a data folder."""

    root: Path

    @property
    def secrets(self) -> Path:
        """One file a secret; only the owner reads them."""
        return self.root / "secrets"

    @property
    def logs(self) -> Path:
        """One file a process, and older ones."""
        return self.root / "logs"

    @property
    def configuration(self) -> Path:
        """What is rendered for the servers at every start."""
        return self.root / "configuration"

    @property
    def ports(self) -> Path:
        """The ports of the last start."""
        return self.root / "ports.json"

    @property
    def running(self) -> Path:
        """Where a running platform is reached; there only while it runs and is ready."""
        return self.root / "running.json"

    @property
    def socket(self) -> Path:
        """The supervisor's address."""
        return self.root / "supervisor.sock"

    def create(self) -> None:
        """Make the folders that are not there yet.

        Raises:
            PlatformError: they can't be made or written.
        """
        if len(os.fsencode(self.socket)) > SOCKET_PATH_BYTES:
            raise PlatformError(f"The path {self.root} is too long: choose a shorter one: COUNTERMARK_DATA=<folder>.")
        try:
            for folder in (self.root, self.logs, self.configuration, self.secrets):
                folder.mkdir(parents=True, exist_ok=True)
            for folder in (self.root, self.configuration):
                folder.chmod(0o711)  # PostgreSQL may run as another user, whose files are below
            for folder in (self.logs, self.secrets):
                folder.chmod(0o700)
        except OSError as error:
            raise PlatformError(f"The data folder can't be used: {error}.") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one platform; the lock ends with the process, however it ends.

        Raises:
            PlatformError: another platform runs on it.
        """
        with (self.root / "lock").open("a+", encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise PlatformError(
                    f"Countermark already runs on {self.root} (process {file.read().strip() or 'unknown'});"
                    " stop it with Ctrl-C there, or choose another data folder: COUNTERMARK_DATA=<folder>."
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield
