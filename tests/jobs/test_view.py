"""What lies in the visible trees of drop folders."""

from collections.abc import Iterable

from countermark.jobs import archives
from countermark.jobs.keys import view_archive, view_prefix
from countermark.jobs.rows import Job
from countermark.jobs.view import publish, trees
from countermark.servers.objects import RESULTS, Object
from countermark.services import Services
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.jobs.made import change, dropped, folder_job, job_row, marked
from tests.jobs.small import clean

NAMES = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=300)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def listed(keys: Iterable[str]) -> list[Object]:
    """Objects whose ETag is their key."""
    return [Object(key=key, etag=key, bytes=1, time=0) for key in keys]


@given(
    st.dictionaries(NAMES, st.lists(PATHS, unique=True), max_size=4), st.lists(NAMES.map(lambda name: f"{name}.jpg"))
)
def test_every_object_belongs_to_the_tree_of_its_folder_and_to_no_other(
    folders: dict[str, list[str]], beside: list[str]
) -> None:
    wanted = {
        view_prefix(folder): {view_archive(folder), *(view_prefix(folder) + path for path in paths)}
        for folder, paths in folders.items()
    }
    wanted[view_prefix("")] = {view_archive(""), *(view_prefix("") + name for name in beside)}
    others = ["0123/1.1.abc", "0123/archive.0.abc", "countermark/generation.json"]
    found = trees(listed([*others, *(key for keys in wanted.values() for key in keys)]))
    assert found == {prefix: {key: key for key in keys} for prefix, keys in wanted.items()}


CURRENT = "current"
SEEN = st.sampled_from([None, b"an older one", CURRENT])
"""What people may see where something should be: nothing, what is out of date, or what the rows say."""


def shown_folder(own: Services, count: int) -> tuple[Job, dict[str, str]]:
    """The job of a folder with images that are marked, its ZIP and its visible tree; what is where in that."""
    for number in range(1, count + 1):
        dropped(own, f"f/{number}.png")
    job = folder_job(own, "f")
    for number in range(1, count + 1):
        marked(own, job.id, number)
    change(own, "UPDATE jobs SET state = 'archiving'")
    archiving = archives.take(own, job.id, job.revision)
    assert archiving is not None
    own.objects.write(RESULTS, archiving.key, b"ZIP", "application/zip")
    assert archives.finish(own, archiving, 3)
    job = job_row(own, job.id)
    publish(own, job, {})
    return job, tree(own)


def tree(own: Services) -> dict[str, str]:
    """What people see of the folder."""
    return trees(own.objects.list(RESULTS)).get(view_prefix("f"), {})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(st.booleans(), SEEN, st.lists(st.tuples(st.booleans(), SEEN), min_size=1, max_size=3), st.booleans())
def test_whatever_people_see_becomes_what_the_rows_say(
    own: Services, has_zip: bool, zip_seen: object, images: list[tuple[bool, object]], stray: bool
) -> None:
    clean(own.database)
    own.objects.delete(RESULTS, tree(own))
    job, wanted = shown_folder(own, len(images))
    places = {view_archive("f"): (has_zip, zip_seen)}
    places |= {f"{view_prefix('f')}{number}.png": what for number, what in enumerate(images, 1)}
    assert set(wanted) == set(places)
    change(
        own,
        "UPDATE images SET state = 'failed' WHERE number = ANY(:them)",
        them=[number for number, (is_done, _) in enumerate(images, 1) if not is_done],
    )
    if not has_zip:
        change(own, "UPDATE jobs SET state = 'failed', archive_key = NULL, archive_bytes = NULL, view_etag = NULL")
    for key, (_, seen) in places.items():
        if seen is None:
            own.objects.delete(RESULTS, [key])
        elif isinstance(seen, bytes):
            own.objects.write(RESULTS, key, seen, "image/png")
    if stray:
        own.objects.write(RESULTS, f"{view_prefix('f')}day/another.png", b"nobody's", "image/png")
    publish(own, job_row(own, job.id), {view_prefix("f"): tree(own)})
    assert tree(own) == {key: etag for key, etag in wanted.items() if places[key][0]}


@given(st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=60, max_size=300))
def test_no_two_folders_are_shown_under_one_name(folder: str) -> None:
    shown = view_prefix(folder).removeprefix("drop/").removesuffix("/")
    assert len(shown.encode()) <= 255
    assert shown == folder or view_prefix(shown) != view_prefix(folder)
