"""Which object store the platform runs, and that it keeps to it."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from infra.errors import PlatformError
from infra.local import minio, seaweedfs
from infra.local.folder import DataFolder
from infra.local.parts import Part


class Store(StrEnum):
    """The object stores that can run here; each has a folder of its name in the data folder."""

    SEAWEEDFS = "seaweedfs"
    MINIO = "minio"


PORTS = {Store.SEAWEEDFS: seaweedfs.PORTS, Store.MINIO: minio.PORTS}


def store_part(
    store: Store,
    folder: DataFolder,
    ports: dict[str, int],
    secrets: dict[str, str],
    *,
    binaries: Path,
    nats_url: str,
    say: Callable[[str], None],
) -> Part:
    """The store's server.

    Raises:
        PlatformError: it can't be had, or the data are in another store.
    """
    require_same_store(folder, store)
    if store is Store.MINIO:
        return minio.minio_part(folder, ports, secrets, nats_url, say)
    return seaweedfs.seaweedfs_part(folder, ports, secrets, binaries)


def require_same_store(folder: DataFolder, store: Store) -> None:
    """Make sure that no other store has the images of the jobs that are in the data folder's database.

    Raises:
        PlatformError: one has.
    """
    for other in Store:
        if other is not store and (folder.root / other).is_dir():
            raise PlatformError(
                f"The jobs in {folder.root} have their images in {other}, and they would be lost to them in {store}:"
                f" start it with STORE={other}, or {store} on another folder: COUNTERMARK_DATA={folder.root}-{store}"
            )
