"""What lies in the visible trees of drop folders."""

from collections.abc import Iterable

from countermark.jobs.keys import view_archive, view_prefix
from countermark.jobs.view import trees
from countermark.servers.objects import Object
from hypothesis import given
from hypothesis import strategies as st

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
