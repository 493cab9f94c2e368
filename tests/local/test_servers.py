"""What is planned for a server is accepted by its program."""

import json
import subprocess
from pathlib import Path

import pytest

from infra.local.durable import write_through
from infra.local.machine import PublicAddress
from infra.local.process import Process
from infra.local.run import write_files
from infra.local.stores import Store
from infra.project import BINARIES
from infra.store.access import ACCESS, policy_of
from tests.local.planned import machine, processes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data folder whose path needs quotes."""
    return tmp_path / "a folder"


def written(root: Path, process: Process) -> Process:
    """The process, with its files."""
    folder = machine(root).folder
    folder.create()
    write_files(folder, [process])
    return process


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("environ", [{}, {"S3_ENDPOINT": "https://a.example.org", "S3_ACCESS_KEY": "a"}])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "192.0.2.1", "::"])  # noqa: S104 -- nothing listens
def test_caddy_accepts_its_configuration(root: Path, host: str, environ: dict[str, str]) -> None:
    given = machine(root, address=PublicAddress(host, 8080), environ=environ)
    configuration = written(root, processes(given)["caddy"]).command[-1]
    run(BINARIES / "caddy", "validate", "--adapter", "caddyfile", "--config", configuration)
    adapted = json.loads(run(BINARIES / "caddy", "adapt", "--adapter", "caddyfile", "--config", configuration))
    assert adapted["admin"] == {"disabled": True, "config": {"persist": False}}
    listeners = {address for server in adapted["apps"]["http"]["servers"].values() for address in server["listen"]}
    own = f":{given.ports['gateway']}"
    assert {address for address in listeners if address.endswith(own)} == {f"127.0.0.1{own}"}


def test_nats_accepts_its_configuration(root: Path) -> None:
    process = written(root, processes(machine(root))["nats"])
    run(*process.command, "-t")
    assert "sync_interval: always" in process.files[0].text


def test_the_stores_identities_are_json_with_the_policy_of_each(root: Path) -> None:
    given = machine(root)
    document = json.loads(processes(given)["seaweedfs"].files[0].text)
    policies = {policy["name"]: json.loads(policy["content"]) for policy in document["policies"]}
    assert policies == {identity: policy_of(identity) for identity in ACCESS}
    known = {identity["name"]: identity for identity in document["identities"]}
    for identity in ACCESS:
        assert known[identity]["credentials"][0]["secretKey"] == given.secrets[f"{identity}-secret-key"]
        assert known[identity]["policyNames"] == [identity]
        assert "actions" not in known[identity]
    assert set(known) == {*ACCESS, "administrator"}


@pytest.mark.parametrize(
    ("environ", "address", "user", "password"),
    [
        ({}, "127.0.0.1:20001", "minio", "minio-nats-password-of-this-machine"),
        ({"NATS_URL": "nats://a:b%2Fc@nats.example.org"}, "nats.example.org:4222", "a", "b/c"),
    ],
)
def test_minio_is_told_where_the_stream_is(
    root: Path, environ: dict[str, str], address: str, user: str, password: str
) -> None:
    process = processes(machine(root, Store.MINIO, environ=environ))["minio"]
    assert process.environment["MINIO_CONFIG_ENV_FILE"] == str(process.files[0].path)
    lines = process.files[0].text.splitlines()
    environment = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    for target, subject in (("UPLOADS", "objects.created.uploads"), ("DROP", "objects.created.drop")):
        told = [environment[f"MINIO_NOTIFY_NATS_{name}_{target}"] for name in ("ADDRESS", "USERNAME", "PASSWORD")]
        assert told == [address, user, password]
        assert environment[f"MINIO_NOTIFY_NATS_SUBJECT_{target}"] == subject
        assert environment[f"MINIO_NOTIFY_NATS_JETSTREAM_{target}"] == "on"
        assert Path(environment[f"MINIO_NOTIFY_NATS_QUEUE_DIR_{target}"]) in process.synced_folders
    assert (environment["MINIO_API_SYNC_EVENTS"], environment["MINIO_SYNC_BOOT"]) == ("on", "on")
    assert (environment["MINIO_BROWSER"], environment["MINIO_UPDATE"]) == ("off", "off")


@pytest.mark.parametrize("store", Store)
def test_what_a_store_confirms_is_written_through(root: Path, store: Store) -> None:
    process = written(root, processes(machine(root, store))[store])
    assert root / store in process.synced_folders
    if not all(map(write_through, process.synced_folders)):
        pytest.skip(f"the file system of {root} does not know chattr +S")
    later = root / store / "later"
    later.mkdir()
    assert "S" in run("lsattr", "-d", later).split()[0]
