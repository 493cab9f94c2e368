"""Secrets are made once, and only their owner reads them."""

import stat
from pathlib import Path

from infra.credentials import generate_secrets, write_private
from infra.local.machine import SECRETS


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_each_secret_is_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    values = generate_secrets(tmp_path, SECRETS)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == values
    assert {mode(path) for path in tmp_path.iterdir()} == {0o600}


def test_secrets_are_different_and_long_enough(tmp_path: Path) -> None:
    values = generate_secrets(tmp_path, SECRETS)
    assert len(set(values.values())) == len(SECRETS)
    assert all(len(value) >= 30 for value in values.values())


def test_secrets_stay_the_same_and_only_the_missing_are_made(tmp_path: Path) -> None:
    first = generate_secrets(tmp_path, SECRETS)
    (tmp_path / "webhook-token").unlink()
    second = generate_secrets(tmp_path, SECRETS)
    assert {name for name in first if first[name] != second[name]} == {"webhook-token"}


def test_a_file_that_others_could_read_is_replaced_by_one_that_they_cannot(tmp_path: Path) -> None:
    path = tmp_path / "nats-url"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), mode(path)) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [path]
