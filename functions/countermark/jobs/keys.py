"""Where the objects of a job are. Every attempt has a key of its own, so that nothing written is ever overwritten."""

import hashlib
import secrets

from countermark.servers.buckets import DROP

OPTIONS_NAME = "countermark.json"
"""The file of a drop folder that has its options."""
LONGEST_FOLDER = 240
"""Bytes of a folder's name that the visible tree shows as it is."""


def new_id() -> str:
    """A job's id in keys and messages: it opens nothing, so that a key that somebody sees gives nothing away."""
    return secrets.token_hex(12)


def new_token() -> str:
    """What opens a job, 128 random bits in 32 hexadecimal digits."""
    return secrets.token_hex(16)


def new_lease() -> str:
    """Who works on something: a random name, so that no two attempts ever share one."""
    return secrets.token_hex(6)


def posted_key(job_id: str, number: int) -> str:
    """Where an original that came through a function is, in `uploads`."""
    return f"posted/{job_id}/{number}"


def direct_key(job_id: str, number: int) -> str:
    """Where an original that comes by a presigned link is, in `uploads`."""
    return f"{direct_prefix(job_id)}{number}"


def direct_prefix(job_id: str) -> str:
    """What the keys of a job's originals that come by presigned links begin with, in `uploads`."""
    return f"direct/{job_id}/"


def direct_image(key: str) -> tuple[str, int] | None:
    """The job's id and the image's number of an object that came by a presigned link; None for any other key."""
    kind, _, rest = key.partition("/")
    job_id, _, number = rest.partition("/")
    return (job_id, int(number)) if kind == "direct" and job_id and number.isdecimal() and len(number) < 10 else None


def result_key(job_id: str, number: int, revision: int, lease: str) -> str:
    """Where an attempt's marked copy is, in `results`."""
    return f"{job_id}/{number}.{revision}.{lease}"


def archive_key(job_id: str, revision: int, lease: str) -> str:
    """Where an attempt's ZIP is, in `results`."""
    return f"{job_id}/archive.{revision}.{lease}"


def split_drop_key(key: str) -> tuple[str, str]:
    """The folder of an object in `drop`, and its path in it; what lies beside the folders is in the folder ``""``."""
    folder, slash, name = key.partition("/")
    return (folder, name) if slash else ("", key)


def options_key(folder: str) -> str:
    """Where a drop folder's options are, in `drop`."""
    return f"{folder}/{OPTIONS_NAME}" if folder else OPTIONS_NAME


def view_prefix(folder: str) -> str:
    """What the keys of a folder's visible tree begin with, in `results`."""
    return f"{DROP}/{_shown(folder)}/" if folder else f"{DROP}/"


def view_archive(folder: str) -> str:
    """Where people find a folder's ZIP, in `results`."""
    return f"{DROP}/{_shown(folder)}.zip" if folder else f"{DROP}.zip"


def _shown(folder: str) -> str:
    """The folder's name; a very long one cut, with a hash of all of it, so that keys stay within what stores take.

    A cut one is longer than any that is not cut, so that no two folders are shown under one name.
    """
    raw = folder.encode()
    if len(raw) <= LONGEST_FOLDER:
        return folder
    return raw[: LONGEST_FOLDER - 5].decode(errors="ignore") + "-" + hashlib.sha256(raw).hexdigest()[:16]
