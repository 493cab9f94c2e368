"""One platform at a time on a data folder."""

import os
import subprocess
from pathlib import Path

import pytest

from infra.errors import PlatformError
from infra.local.folder import DataFolder
from infra.project import ROOT


def test_others_cannot_look_into_it(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "new" / "data")
    folder.create()
    assert all(path.stat().st_mode & 0o066 == 0 for path in (folder.root, *folder.root.iterdir()))
    assert folder.secrets.stat().st_mode & 0o777 == 0o700


def test_a_second_platform_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with folder.locked(), pytest.raises(PlatformError, match=rf"process {os.getpid()}\b"), folder.locked():
        pass
    with folder.locked():
        pass


def test_a_path_that_is_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="too long"):
        DataFolder(tmp_path / ("x" * 100)).create()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlatformError, match=str(tmp_path / "file")):
        DataFolder(tmp_path / "file" / "data").create()


def test_it_is_deleted_unless_a_platform_runs_on_it(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")

    def clean() -> int:
        command = ["make", "clean-data", f"COUNTERMARK_DATA={folder.root}"]
        return subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode

    folder.create()
    assert clean() == 0
    assert folder.root.is_dir(), "no platform has ever run on it, so it may be another's"
    with folder.locked():
        assert clean() != 0
    assert folder.root.is_dir()
    assert clean() == 0
    assert not folder.root.exists()
