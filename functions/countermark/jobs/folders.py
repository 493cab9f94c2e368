"""Folders of the drop bucket as jobs: what lies in a folder is one job until that is gone.

Here people write first and the rows follow, so the rows know each object by its ETag, and by the time when it was
stored: what is stored again as it was has the same ETag.
"""

import json
from typing import Any

import structlog

from countermark.http.calls import json_object
from countermark.http.problems import Problem
from countermark.jobs import outbox
from countermark.jobs.keys import OPTIONS_NAME, new_id, new_token, options_key, split_drop_key
from countermark.jobs.naming import NAME_PARAMETERS, NameParts
from countermark.names import clean_name, is_leftover
from countermark.servers.objects import DROP, NoSuchObject, Object, ObjectTooLarge, Refused, Replaced
from countermark.services import Services

log = structlog.get_logger()

OPTIONS_BYTES = 1024 * 1024
NO_OPTIONS: dict[str, Any] = {"options": "{}", "etag": None, "stored_at": None, "problem": None}


class NotYet(Exception):
    """The folder's former job is not gone yet; its next one begins when it is, and the sweep sees the file then."""


def take(own: Services, item: Object) -> str:
    """Take an object of the drop bucket into its folder's job, or its options into that.

    Returns:
        ``adopted`` or ``changed`` when there is something to do, ``known`` when it was seen as it is, ``left`` when
        it is no file of a person's.

    Raises:
        NotYet: the folder's former job is not gone, or has taken files long enough.
    """
    folder, name = split_drop_key(item.key)
    if item.key.endswith("/") or is_leftover(item.key) or "\0" in item.key:
        return "left"
    if name == OPTIONS_NAME:
        return set_options(own, folder)
    return _adopt(own, folder, name, item)


def _adopt(own: Services, folder: str, name: str, item: Object) -> str:
    # The options of a job that is open are not asked for with each file: a change of theirs is announced by itself.
    answer = _ask(own, folder, name, item, {**NO_OPTIONS, "options": None})
    if answer["outcome"] == "new":
        answer = _ask(own, folder, name, item, _read_options(own, folder))
    if answer["outcome"] == "later":
        raise NotYet
    outbox.send(own, answer["messages"])
    log.info("dropped", folder=folder, job=answer["job"], image=answer.get("number"), outcome=answer["outcome"])
    return str(answer["outcome"])


def _ask(own: Services, folder: str, name: str, item: Object, options: dict[str, Any]) -> dict[str, Any]:
    """What the rows make of an object; ``new`` if the folder's job is to be opened and there are no options for it."""
    answer: dict[str, Any] = own.database.call(
        "SELECT take_dropped_v1(:folder, :id, :token, CAST(:options AS jsonb), :etag, :stored_at, :problem, :hours,"
        f" :key, :object_etag, :time, :size, {NAME_PARAMETERS}, :quiet, :limit, :share)",
        folder=folder,
        id=new_id(),
        token=new_token(),
        hours=own.settings.drop_hours,
        **options,
        key=item.key,
        object_etag=item.etag,
        time=item.time,
        size=item.bytes,
        **NameParts.of(clean_name(name)).parameters(),
        quiet=own.settings.drop_quiet,
        limit=own.settings.max_files,
        share=own.settings.line_share,
    )
    return answer


def set_options(own: Services, folder: str) -> str:
    """The folder's options have come, changed or gone: what was made with others is made again.

    Returns:
        ``changed`` or ``known``.
    """
    answer = own.database.call(
        "SELECT set_options_v1(:folder, CAST(:options AS jsonb), :etag, :stored_at, :problem, :quiet, :share)",
        folder=folder,
        quiet=own.settings.drop_quiet,
        share=own.settings.line_share,
        **_read_options(own, folder),
    )
    outbox.send(own, answer["messages"])
    if answer["outcome"] == "changed":
        log.info("options of a folder", job=answer["job"])
    return str(answer["outcome"])


def _read_options(own: Services, folder: str) -> dict[str, Any]:
    """The folder's options as they are now, as JSON, their ETag, when they were stored, and what is wrong with them.

    ``etag``, ``stored_at`` and ``problem`` are None when there are none.
    """
    key = options_key(folder)
    none = NO_OPTIONS
    try:
        item = own.objects.stat(DROP, key)
        none = {**NO_OPTIONS, "etag": item.etag, "stored_at": item.time}
        data, _ = own.objects.read(DROP, key, limit=OPTIONS_BYTES, etag=item.etag)
    except NoSuchObject:
        return NO_OPTIONS
    except Replaced:  # at this moment
        return _read_options(own, folder)
    except ObjectTooLarge:
        return {**none, "problem": f"{OPTIONS_NAME} is too large to be a file of options."}
    except Refused as error:
        return {**none, "problem": f"{OPTIONS_NAME} can't be read: {error}"}
    from countermark import engine  # most folders have no options, and the sweep then needs no engine

    try:
        options = json_object(data)
        engine.load_options(options)
    except (Problem, engine.InvalidOptions) as error:
        why = str(error.detail if isinstance(error, Problem) else error)
        # It may quote what the database does not take: a NUL, half a surrogate.
        told = why.replace("\0", "\\0").encode(errors="backslashreplace").decode()
        return {**none, "problem": f"{OPTIONS_NAME}: {told}"}
    text = json.dumps(options)
    if "\\u0000" in text:
        return {**none, "problem": f"{OPTIONS_NAME} has a character that can't be stored: \\u0000"}
    return {**none, "options": text}
