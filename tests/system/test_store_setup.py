"""``python -m infra.store`` on a store that has been set up: it says what it did, and changes nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.project import ROOT
from infra.store.access import ACCESS
from tests.platform_driver import Platform


@pytest.fixture
def secrets(platform: Platform, tmp_path: Path) -> Path:
    """The secrets that a set-up needs, to change some."""
    for path in platform.folder.secrets.glob("*-key"):
        shutil.copy(path, tmp_path)
    return tmp_path


def run(platform: Platform, secrets: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra.store"],
        cwd=ROOT,
        env=os.environ | {"S3_ENDPOINT": platform.store_url, "SECRETS_DIR": str(secrets)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_it_tells_each_step_and_may_be_done_again(platform: Platform, secrets: Path) -> None:
    first, second = run(platform, secrets), run(platform, secrets)
    assert (first.returncode, first.stderr) == (0, "")
    assert second.stdout == first.stdout
    lines = first.stdout.splitlines()
    assert lines[0].startswith("buckets: uploads, results, drop")
    assert lines[-1] == f"identities: {', '.join(ACCESS)}"
    assert sum(line.startswith("notifications: ") for line in lines) == (2 if platform.store == "minio" else 1)


def test_a_key_pair_that_the_store_does_not_know_is_named(platform: Platform, secrets: Path) -> None:
    (secrets / "status-secret-key").write_text("0" * 40)
    done = run(platform, secrets)
    if platform.store == "minio":  # where a set-up makes the users, with the key pairs that it is given
        assert (done.returncode, done.stderr) == (0, "")
        assert run(platform, platform.folder.secrets).returncode == 0
    else:
        assert done.returncode == 1
        assert "does not know the key pairs of status" in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_key_pair_that_is_not_the_administrators_is_told_in_one_line(platform: Platform, secrets: Path) -> None:
    for half in ("access", "secret"):
        shutil.copy(secrets / f"drop-{half}-key", secrets / f"s3-{half}-key")
    done = run(platform, secrets)
    assert done.returncode == 1
    assert done.stderr.startswith(f"store: {platform.store_url}: ")
    assert done.stderr.count("\n") == 1


def test_it_waits_for_a_store_that_is_still_starting(platform: Platform, secrets: Path) -> None:
    platform.kill(platform.store)
    done = run(platform, secrets)
    assert (done.returncode, done.stderr) == (0, "")
