"""Secrets are made once, for their owner alone, and are what the servers take."""

import asyncio
import base64
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import nats
import pytest
import yaml
from nats.errors import NoRespondersError
from typer.testing import CliRunner

from infra.kubernetes.cli import app
from infra.kubernetes.credentials import make_secrets
from infra.kubernetes.target import Target
from infra.local.ports import pick_free_port
from infra.project import BINARIES
from tests.kubernetes.rendered import Rendered, targets


def by_name(rendered: Rendered, folder: Path) -> dict[str, dict[str, str]]:
    return {each["metadata"]["name"]: each["stringData"] for each in rendered.secrets(folder)}


def test_they_are_made_once_and_only_their_owner_reads_them(rendered: Rendered, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    first = make_secrets(rendered.target, folder)
    assert make_secrets(rendered.target, folder) == first
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert len(set(first.values())) == len(first)


def test_each_function_has_its_own_keys_and_those_that_the_set_up_makes(rendered: Rendered, tmp_path: Path) -> None:
    made = by_name(rendered, tmp_path)
    for function in rendered.workloads:
        own = made[f"countermark-{function.name}"]
        assert own.keys() == {"nats-url", "database-url", "s3-access-key", "s3-secret-key"}
        assert made["countermark-store"][f"{function.name}-access-key"] == own["s3-access-key"]
        assert made["countermark-store"][f"{function.name}-secret-key"] == own["s3-secret-key"]
        # What MinIO takes for a user that is not root.
        assert len(own["s3-access-key"]) <= 20
        assert len(own["s3-secret-key"]) <= 40
        assert made["countermark-postgres"]["password"] in own["database-url"]
    assert ("countermark-minio" in made) == (not rendered.target.store)


def test_they_are_printed_only_when_asked(tmp_path: Path) -> None:
    command = ["secrets", "knative", "--folder", str(tmp_path)]
    quiet = CliRunner().invoke(app, command)
    assert quiet.exit_code == 0, quiet.output
    values = make_secrets(Target(platform="knative"), tmp_path)
    assert not [value for value in values.values() if value in quiet.output]
    loud = CliRunner().invoke(app, [*command, "--print"])
    assert values["postgres-password"] in loud.output


def test_no_manifest_but_those_of_secrets_has_one(rendered: Rendered, tmp_path: Path) -> None:
    values = make_secrets(rendered.target, tmp_path)
    text = "".join(rendered.files.values())
    for value in values.values():
        assert value not in text
        assert base64.b64encode(value.encode()).decode() not in text


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[tuple[int, dict[str, dict[str, str]]]]:
    """The port of a real server with the users' file, included as the Helm values include it; and the secrets."""
    secrets = by_name(Rendered(targets()["knative"]), tmp_path / "kept")
    values = yaml.safe_load((Path(__file__).parents[2] / "infra/kubernetes/values/nats.yaml").read_text())
    path = values["config"]["merge"]["$include"]
    port = pick_free_port()
    configuration = tmp_path / "nats-config" / "nats.conf"
    users = (configuration.parent / path).resolve()
    for folder in (configuration.parent, users.parent):
        folder.mkdir(exist_ok=True)
    users.write_text(secrets["countermark-nats"]["users.conf"])
    store = tmp_path / "store"
    configuration.write_text(f'host: 127.0.0.1\nport: {port}\njetstream {{store_dir: "{store}"}}\ninclude {path}\n')
    server = subprocess.Popen([BINARIES / "nats-server", "-c", configuration], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as connection:
                if connection.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port, secrets
    finally:
        server.terminate()
        server.wait()


def test_the_streams_users_may_do_what_they_need_and_no_more(stream: tuple[int, dict[str, dict[str, str]]]) -> None:
    port, secrets = stream

    async def connected(url: str, errors: list[str]) -> nats.NATS:
        async def note(error: Exception) -> None:
            errors.append(str(error))

        user = url.split("@")[0]
        return await nats.connect(f"{user}@127.0.0.1:{port}", error_cb=note, allow_reconnect=False)

    async def run() -> None:
        refused: list[str] = []
        connector = await connected(secrets["countermark-connector"]["nats-url"], [])
        await connector.jetstream().add_stream(name="COUNTERMARK", subjects=["images.>", "jobs.>"])
        functions = await connected(secrets["countermark-status"]["nats-url"], refused)
        assert (await functions.jetstream().publish("jobs.complete.j.0", b"{}")).seq == 1
        with pytest.raises((NoRespondersError, nats.errors.TimeoutError)):
            await functions.request("$JS.API.STREAM.NAMES", b"", timeout=0.5)
        await functions.flush()
        assert any("permissions violation" in each for each in map(str.lower, refused)), refused
        for client in (functions, connector):
            await client.close()

    asyncio.run(run())


def test_minios_environment_has_its_own_user_of_the_stream(tmp_path: Path) -> None:
    made = by_name(Rendered(targets()["knative"]), tmp_path)
    lines = dict(line.split("=", 1) for line in made["countermark-minio"]["config.env"].splitlines() if "=" in line)
    assert lines["MINIO_ROOT_USER"] == made["countermark-store"]["s3-access-key"]
    assert lines["MINIO_ROOT_PASSWORD"] == made["countermark-store"]["s3-secret-key"]
    addresses = {value for key, value in lines.items() if key.startswith("MINIO_NOTIFY_NATS_ADDRESS")}
    assert addresses == {"nats.countermark.svc.cluster.local:4222"}
    assert {value for key, value in lines.items() if "QUEUE_DIR" in key} == {"/queue"}
