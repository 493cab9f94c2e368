"""A platform keeps to the object store that has its images."""

from pathlib import Path

import pytest

from infra.errors import PlatformError
from infra.local.folder import DataFolder
from infra.local.stores import Store, require_same_store, store_program
from infra.tools.table import TOOLS, Tool


@pytest.mark.parametrize("store", Store)
def test_a_folder_is_for_the_store_that_it_was_begun_with(tmp_path: Path, store: Store) -> None:
    require_same_store(DataFolder(tmp_path), store)
    (tmp_path / store).mkdir()
    require_same_store(DataFolder(tmp_path), store)
    (other,) = set(Store) - {store}
    with pytest.raises(PlatformError, match=f"STORE={store}.*COUNTERMARK_DATA={tmp_path}-{other}"):
        require_same_store(DataFolder(tmp_path), other)


def test_minio_that_cannot_be_built_is_told_to_the_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(TOOLS, "minio", Tool(module="localhost/nowhere", version="v1.0.0", why="nothing"))
    said: list[str] = []
    with pytest.raises(PlatformError, match="MinIO can't be built"):
        store_program(Store.MINIO, said.append)
    assert any(line.startswith("Building minio") for line in said)
