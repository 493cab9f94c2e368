"""Which object store the platform runs, that it keeps to it, and its program."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from infra.errors import PlatformError
from infra.local.folder import DataFolder
from infra.project import BINARIES


class Store(StrEnum):
    """The object stores that can run here; each has a folder of its name in the data folder."""

    SEAWEEDFS = "seaweedfs"
    MINIO = "minio"


def store_program(store: Store, say: Callable[[str], object]) -> Path:
    """The store's program; MinIO is built if that was not done before.

    Args:
        say: told of what takes minutes.

    Raises:
        PlatformError: it can't be built.
    """
    if store is Store.SEAWEEDFS:
        return BINARIES / "weed"
    from infra.tools import ToolError, install  # here: SeaweedFS has no use for it

    try:
        return install("minio", say)
    except ToolError as error:
        raise PlatformError(f"MinIO can't be built: {error}") from None


def require_same_store(folder: DataFolder, store: Store) -> None:
    """Make sure that no other store has the images of the jobs that are in the data folder's database.

    Raises:
        PlatformError: one has.
    """
    for other in Store:
        if other is not store and (folder.root / other).is_dir():
            raise PlatformError(
                f"{folder.root} was created with {other}; start with STORE={other}, or use {store} on another folder:"
                f" COUNTERMARK_DATA={folder.root}-{store}"
            )
