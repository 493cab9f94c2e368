"""Settings come from the environment or from secret files, and a wrong one is named."""

from pathlib import Path

import pytest
from countermark.settings import InvalidSettings, Settings, load_settings

SECRETS = {
    "nats-url": "nats://u:p@127.0.0.1:4222",
    "database-url": "postgresql://u:p@127.0.0.1/d",
    "s3-access-key": "key",
    "s3-secret-key": "secret",
}


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with every secret, and an environment that says nothing else."""
    for name in [*Settings.model_fields, "secrets_dir"]:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in SECRETS.items():
        (tmp_path / name).write_text(value + "\n")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("S3_ENDPOINT", "http://127.0.0.1:9000")
    return tmp_path


@pytest.mark.usefixtures("secrets")
def test_secrets_come_from_files_and_stay_out_of_logs() -> None:
    own = load_settings(Settings)
    assert own.s3_secret_key.get_secret_value() == "secret"
    assert "secret'" not in repr(own)


def test_secrets_come_also_from_a_folder_for_each_secret(secrets: Path) -> None:
    for folder in ("countermark-upload", "..data"):
        (secrets / folder).mkdir()
    for name in SECRETS:
        (secrets / name).rename(secrets / "countermark-upload" / name)
    (secrets / "..data" / "s3-access-key").write_text("of Kubernetes")
    assert load_settings(Settings).s3_access_key.get_secret_value() == "key"


def test_a_folder_beside_files_is_somebody_elses(secrets: Path) -> None:
    (secrets / "watermark").mkdir()
    (secrets / "watermark" / "s3-access-key").write_text("another")
    assert load_settings(Settings).s3_access_key.get_secret_value() == "key"


@pytest.mark.usefixtures("secrets")
def test_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", "nats://other:4222")
    monkeypatch.setenv("MAX_FILES", "7")
    own = load_settings(Settings)
    assert own.nats_url.get_secret_value() == "nats://other:4222"
    assert own.max_files == 7


def test_every_missing_and_wrong_setting_is_named_in_one_line(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (secrets / "database-url").unlink()
    monkeypatch.setenv("MAX_PIXELS", "many")
    with pytest.raises(InvalidSettings) as caught:
        load_settings(Settings)
    message = str(caught.value)
    assert message.startswith(f"settings (environment or {secrets}): ")
    assert "DATABASE_URL: field required" in message
    assert "MAX_PIXELS: must be a valid integer" in message
    assert "\n" not in message


def test_a_folder_that_is_not_there_is_not_named(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRETS_DIR", str(secrets / "nothing"))
    with pytest.raises(InvalidSettings, match=r"^settings \(environment\): NATS_URL"):
        load_settings(Settings)
