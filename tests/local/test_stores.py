"""A platform keeps to the object store that has its images."""

from pathlib import Path

import pytest

from infra.errors import PlatformError
from infra.local.folder import DataFolder
from infra.local.minio import minio_part
from infra.local.secrets import generate_secrets
from infra.local.stores import Store, require_same_store
from infra.tools.table import TOOLS, Tool


@pytest.mark.parametrize("store", Store)
def test_a_folder_is_for_the_store_that_it_was_begun_with(tmp_path: Path, store: Store) -> None:
    require_same_store(DataFolder(tmp_path), store)
    (tmp_path / store).mkdir()
    require_same_store(DataFolder(tmp_path), store)
    (other,) = set(Store) - {store}
    with pytest.raises(PlatformError, match=f"STORE={store}.*COUNTERMARK_DATA={tmp_path}-{other}"):
        require_same_store(DataFolder(tmp_path), other)


@pytest.mark.parametrize(
    ("url", "address", "user", "password"),
    [
        ("nats://minio:secret@127.0.0.1:20001", "127.0.0.1:20001", "minio", "secret"),
        ("nats://a:b%2Fc@nats.example.org", "nats.example.org:4222", "a", "b/c"),
    ],
)
def test_minio_is_told_where_the_stream_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, address: str, user: str, password: str
) -> None:
    program = tmp_path / "bin" / "minio"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    folder = DataFolder(tmp_path / "data")
    folder.create()
    secrets = generate_secrets(folder.secrets)
    part = minio_part(folder, {"s3": 20_002}, secrets, url, pytest.fail)
    lines = Path(part.environment["MINIO_CONFIG_ENV_FILE"]).read_text().splitlines()
    environment = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    for target, subject in (("UPLOADS", "objects.created.uploads"), ("DROP", "objects.created.drop")):
        told = [environment[f"MINIO_NOTIFY_NATS_{name}_{target}"] for name in ("ADDRESS", "USERNAME", "PASSWORD")]
        assert told == [address, user, password]
        assert environment[f"MINIO_NOTIFY_NATS_SUBJECT_{target}"] == subject
        assert environment[f"MINIO_NOTIFY_NATS_JETSTREAM_{target}"] == "on"
        assert Path(environment[f"MINIO_NOTIFY_NATS_QUEUE_DIR_{target}"]).is_relative_to(folder.root)
    assert environment["MINIO_API_SYNC_EVENTS"] == "on"
    assert (environment["MINIO_BROWSER"], environment["MINIO_UPDATE"]) == ("off", "off")
    assert not any(secret in " ".join(part.command) for secret in secrets.values())


def test_minio_that_cannot_be_built_is_told_to_the_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(TOOLS, "minio", Tool(module="localhost/nowhere", version="v1.0.0", why="nothing"))
    folder = DataFolder(tmp_path / "data")
    folder.create()
    said: list[str] = []
    with pytest.raises(PlatformError, match="MinIO can't be built"):
        minio_part(folder, {"s3": 20_002}, generate_secrets(folder.secrets), "nats://a:b@c:1", said.append)
    assert any(line.startswith("Building minio") for line in said)
