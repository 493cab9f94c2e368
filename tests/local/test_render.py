"""What is rendered is accepted by the programs that read it."""

import json
import subprocess
from pathlib import Path

import jinja2
import pytest
from supervisor.datatypes import dict_of_key_value_pairs

from infra.caddy.site import Site, Upstream
from infra.errors import PlatformError
from infra.local import nats, seaweedfs
from infra.local.caddy import PublicAddress, caddy_part
from infra.local.folder import DataFolder
from infra.local.plan import BINARIES
from infra.local.render import command_line, environment, render, render_to
from infra.local.secrets import generate_secrets
from infra.store.access import ACCESS, policy_of


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A data folder whose path needs quotes."""
    made = DataFolder(tmp_path / "a folder")
    made.create()
    return made


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("store", ["http://127.0.0.1:9000", "https://store.example.org"])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "192.0.2.1", "::"])  # noqa: S104 -- nothing listens
def test_caddy_accepts_its_configuration(folder: DataFolder, host: str, store: str) -> None:
    address = PublicAddress(host, 8080)
    site = Site(
        port=address.port,
        hosts=address.hosts,
        gateway_port=20_000,
        functions={
            "watermark": Upstream(
                addresses=["127.0.0.1:20001", "127.0.0.1:20002"], max_body_bytes=1_000_000, public=True
            ),
            "status": Upstream(addresses=["127.0.0.1:20003"], max_body_bytes=1_000_000, public=True),
            "expire": Upstream(addresses=["127.0.0.1:20004"], max_body_bytes=1_000_000, public=False),
        },
        store=store,
        max_object_bytes=10_000_000,
        web="/a folder",
        storage=str(folder.root / "caddy"),
    )
    configuration = caddy_part(folder, site, address, BINARIES).command[-1]
    run(BINARIES / "caddy", "validate", "--adapter", "caddyfile", "--config", configuration)
    adapted = json.loads(run(BINARIES / "caddy", "adapt", "--adapter", "caddyfile", "--config", configuration))
    assert adapted["admin"] == {"disabled": True, "config": {"persist": False}}
    listeners = {address for server in adapted["apps"]["http"]["servers"].values() for address in server["listen"]}
    assert {address for address in listeners if address.endswith(":20000")} == {"127.0.0.1:20000"}


def test_nats_accepts_its_configuration(folder: DataFolder) -> None:
    secrets = generate_secrets(folder.secrets)
    part = nats.nats_part(folder, dict.fromkeys(nats.PORTS, 20_001), secrets, BINARIES)
    run(*part.command, "-t")
    assert not any(secret in " ".join(part.command) for secret in secrets.values())


def test_the_stores_identities_are_json_with_the_policy_of_each(folder: DataFolder) -> None:
    secrets = generate_secrets(folder.secrets)
    ports = dict.fromkeys([*seaweedfs.PORTS, "connector"], 20_001)
    part = seaweedfs.seaweedfs_part(folder, ports, secrets, BINARIES)
    document = json.loads((folder.configuration / "identities.json").read_text())
    policies = {policy["name"]: json.loads(policy["content"]) for policy in document["policies"]}
    assert policies == {identity: policy_of(identity) for identity in ACCESS}
    known = {identity["name"]: identity for identity in document["identities"]}
    for identity in ACCESS:
        assert known[identity]["credentials"][0]["secretKey"] == secrets[f"{identity}-secret-key"]
        assert known[identity]["policyNames"] == [identity]
        assert "actions" not in known[identity]
    assert set(known) == {*ACCESS, "administrator"}
    assert not any(secret in " ".join(part.command) for secret in secrets.values())


@pytest.mark.parametrize("value", ["plain", "50%", "two words", "a,b=c", 'a "quote" in it', "it's", "", "%(here)s"])
def test_an_environment_arrives_as_it_was(value: str) -> None:
    text = environment({"FIRST": value, "SECOND": "2"})
    assert dict_of_key_value_pairs(text.replace("%%", "%")) == {"FIRST": value, "SECOND": "2"}


@pytest.mark.parametrize("value", ["both \" and ' in it", '"whole"', "two\nlines"])
def test_an_environment_that_cannot_be_passed_on_is_refused(value: str) -> None:
    with pytest.raises(PlatformError, match="passed on"):
        environment({"NAME": value})


def test_a_command_keeps_its_words() -> None:
    assert command_line(["/a path/program", "--at=100%"]) == "'/a path/program' --at=100%%"


def test_a_file_with_secrets_is_for_its_owner_even_if_it_was_not_before(tmp_path: Path) -> None:
    path = tmp_path / "nats.conf"
    path.write_text("old")
    path.chmod(0o644)
    render_to(path, "postgres/pg_hba.conf.j2")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "scram-sha-256" in path.read_text()


def test_a_forgotten_value_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="port"):
        render("postgres/postgresql.conf.j2")
