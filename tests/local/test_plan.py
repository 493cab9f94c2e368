"""The plan: every process with its files and its whole environment, and nothing is done yet."""

import os
from pathlib import Path

import pytest
from countermark.settings import Settings

from infra.errors import InvalidStack
from infra.local.folder import MARK, DataFolder
from infra.local.machine import PublicAddress
from infra.local.plan import plan
from infra.local.process import GROUPS
from infra.local.run import write_files
from infra.local.stores import Store
from infra.local.supervise import inherited
from infra.store.access import ACCESS
from tests.local.planned import machine, processes, stack

ELSEWHERE = {
    "NATS_URL": "nats://somebody:secret@nats.example.org",
    "DATABASE_URL": "postgresql://somebody:secret@postgres.example.org/countermark",
    "S3_ENDPOINT": "https://store.example.org",
    "S3_ACCESS_KEY": "key",
    "S3_SECRET_KEY": "secret",
}


def test_a_plan_writes_nothing_and_leaves_the_environment_alone(tmp_path: Path) -> None:
    before = dict(os.environ)
    assert processes(machine(tmp_path / "data"))
    assert list(tmp_path.iterdir()) == []
    assert dict(os.environ) == before


def test_it_has_the_servers_the_gateway_the_functions_and_the_connector(tmp_path: Path) -> None:
    planned = processes(machine(tmp_path))
    assert list(planned) == [
        *("nats", "postgres", "seaweedfs", "caddy"),
        *("upload", "watermark-1", "watermark-2", "status", "connector"),
    ]
    assert {each.group for each in planned.values()} == set(GROUPS)
    assert [name for name, each in planned.items() if not each.starts_at_once] == ["connector"]
    assert "minio" in processes(machine(tmp_path, Store.MINIO))


def test_every_process_has_its_whole_environment(tmp_path: Path) -> None:
    given = machine(tmp_path, environ={"PATH": "/bin", "JOB_LIFETIME": "5", "S3_ACCESS_KEY": "of another store"})
    for process in processes(given).values():
        assert process.environment["PATH"] == "/bin"
        assert process.environment["JOB_LIFETIME"] == "5"
        assert process.environment[MARK] == str(tmp_path)
        assert process.environment["S3_ENDPOINT"] == f"http://127.0.0.1:{given.ports['s3']}"
        assert "S3_ACCESS_KEY" not in process.environment


def test_what_the_caller_sets_goes_before_the_stack_file_and_never_before_what_a_process_is(tmp_path: Path) -> None:
    own = processes(machine(tmp_path, environ={"max_inflight": "7", "PORT": "1", "FUNCTION_NAME": "x"}))["status"]
    assert own.environment["max_inflight"] == "7"
    assert own.environment["exec_timeout"] == stack().functions["status"].environment["exec_timeout"]
    assert own.environment["FUNCTION_NAME"] == "status"
    assert own.environment["PORT"] != "1"


def test_settings_of_others_programs_are_not_inherited() -> None:
    assert inherited({"PATH": "/bin", "AWS_PROFILE": "mine", "PGHOST": "there", "S3_REGION": "here"}) == {
        "PATH": "/bin",
        "S3_REGION": "here",
    }


def test_each_process_knows_its_own_secrets_alone(tmp_path: Path) -> None:
    given = machine(tmp_path)
    for name in ("upload", "status"):
        own = {file.path: file.text for file in processes(given)[name].files}
        folder = tmp_path / "secrets" / name
        assert {path.name for path in own} == {"nats-url", "database-url", "s3-access-key", "s3-secret-key"}
        assert {path.parent for path in own} == {folder}
        assert own[folder / "s3-access-key"] == f"{name}-access-key-of-this-machine"
        assert own[folder / "nats-url"].startswith("nats://functions:")
    known = processes(given)["connector"].files
    assert {file.path.name for file in known} == {"nats-url", "webhook-token"}
    for process in processes(given).values():
        assert not any(secret in " ".join(process.command) for secret in given.secrets.values())


def test_an_address_replaces_the_server_of_its_kind_and_its_secrets(tmp_path: Path) -> None:
    planned = processes(machine(tmp_path, environ=ELSEWHERE))
    assert not {"nats", "postgres", "seaweedfs"} & set(planned)
    assert planned["upload"].files == ()
    assert planned["upload"].environment.items() >= ELSEWHERE.items()
    assert [file.path.name for file in planned["connector"].files] == ["webhook-token"]


def test_a_handler_that_is_not_there_is_named(tmp_path: Path) -> None:
    given, known = machine(tmp_path), stack()
    lost = known.functions["status"].model_copy(update={"handler": Path("functions/nowhere")})
    changed = known.model_copy(update={"functions": {"status": lost}})
    with pytest.raises(InvalidStack, match=r"functions\.status\.handler: there is no .*nowhere"):
        plan(Settings(**given.settings), changed, given)  # type: ignore[arg-type]


def test_files_are_for_their_owner_and_those_of_an_earlier_start_are_gone(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.create()
    old = folder.secrets / "gone" / "nats-url"
    old.parent.mkdir()
    old.write_text("old")
    exposed = folder.secrets / "nats-url"
    exposed.write_text("old")
    exposed.chmod(0o644)
    planned = processes(machine(tmp_path)).values()
    write_files(folder, planned)
    write_files(folder, planned)
    assert not old.exists()
    for file in (file for process in planned for file in process.files):
        assert file.path.read_text() == file.text
        readable = file.path.name in {"postgresql.conf", "pg_hba.conf"}
        assert file.path.stat().st_mode & 0o777 == (0o644 if readable else 0o600)


@pytest.mark.parametrize(
    ("host", "hosts", "url"),
    [
        ("127.0.0.1", ["127.0.0.1"], "http://127.0.0.1:80"),
        ("0.0.0.0", ["0.0.0.0"], "http://127.0.0.1:80"),  # noqa: S104 -- nothing listens
        ("192.0.2.1", ["127.0.0.1", "192.0.2.1"], "http://192.0.2.1:80"),
        ("::1", ["127.0.0.1", "::1"], "http://[::1]:80"),
    ],
)
def test_the_loopback_is_among_the_addresses(host: str, hosts: list[str], url: str) -> None:
    address = PublicAddress(host, 80)
    assert (address.hosts, address.url) == (hosts, url)


def test_there_is_a_key_pair_for_every_identity_of_the_store(tmp_path: Path) -> None:
    assert machine(tmp_path).pairs.keys() == ACCESS.keys()
    people = processes(machine(tmp_path))["seaweedfs"].files[-1]
    assert people.path.name == "drop-credentials"
    assert "aws_access_key_id = people-access-key-of-this-machine" in people.text
