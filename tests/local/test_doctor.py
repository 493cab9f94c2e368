"""What the doctor says of this machine."""

import os
from pathlib import Path

import pytest

from infra.local.doctor import _user
from infra.local.postgres import find_useradd, has_user


def test_the_user_of_postgres_is_looked_for_before_what_makes_it() -> None:
    assert has_user("root")
    assert not has_user("nobody-has-this-name")


@pytest.mark.skipif(not Path("/usr/sbin/useradd").exists(), reason="not a Debian")
def test_root_needs_no_sbin_in_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert find_useradd() == "/usr/sbin/useradd"
    assert _user().good
