"""The image of MinIO is built from the source that the tests ran."""

import re
from pathlib import Path

from infra.tools.build import OLDEST_GO
from infra.tools.table import TOOLS

TEXT = (Path(__file__).parents[2] / "infra" / "servers" / "minio" / "Dockerfile").read_text()


def test_it_is_built_from_the_version_that_is_tested() -> None:
    assert re.findall(r"^ARG MINIO_VERSION=(\S+)$", TEXT, re.MULTILINE) == [TOOLS["minio"].version]
    assert f'go build -mod=mod -trimpath -ldflags="-s -w" -o /minio {TOOLS["minio"].module}' in TEXT


def test_it_is_built_with_a_go_that_can() -> None:
    (version,) = re.findall(r"^FROM \S*golang:([\d.]+)", TEXT, re.MULTILINE)
    assert tuple(map(int, version.split("."))) >= OLDEST_GO


def test_it_does_not_run_as_root() -> None:
    _, _, final = TEXT.rpartition("FROM ")
    (user,) = re.findall(r"^USER (\d+)", final, re.MULTILINE)
    assert int(user) > 0
