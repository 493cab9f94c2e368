"""PgBouncer before a PostgreSQL without passwords, as on a cluster: each transaction may get another session."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from infra.local.ports import is_free, pick_free_port
from tests.platform_driver import wait_until

SESSIONS = 3
"""Fewer than the clients, so that they have to share."""
PASSWORD = "pooled"


def why_not() -> str | None:
    """Why there can be none on this machine."""
    return None if _program() else "PgBouncer is not installed: apt-get install pgbouncer"


def _program() -> str | None:
    return shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


@contextmanager
def pooled(url: str) -> Iterator[str]:
    """The URL of a pooler before the database at ``url``; the pooler asks for a password."""
    program = _program()
    assert program is not None, why_not()
    server, port = urlsplit(url), pick_free_port()
    user = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
    with tempfile.TemporaryDirectory(prefix="countermark-pooler-") as name:
        folder = Path(name)
        (folder / "users.txt").write_text(f'"{server.username}" "{PASSWORD}"\n')
        (folder / "pgbouncer.ini").write_text(
            "[databases]\n"
            f"* = host={server.hostname} port={server.port}\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {folder}/users.txt\n"
            f"pool_mode = transaction\ndefault_pool_size = {SESSIONS}\nserver_round_robin = 1\n"
            "server_login_retry = 1\n"  # by itself it refuses everybody for 15 s after a server was away
        )
        if user:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, user)
        process = subprocess.Popen(
            [program, "-q", str(folder / "pgbouncer.ini")],
            user=user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until(lambda: not is_free(port) or process.poll() is not None)
            assert process.poll() is None
            yield server._replace(netloc=f"{server.username}:{PASSWORD}@127.0.0.1:{port}").geturl()
        finally:
            process.terminate()
            process.wait(10)
