"""Templates say what they need."""

import jinja2
import pytest

from infra.render import render


def test_a_template_is_found_in_the_room_of_its_server() -> None:
    assert "scram-sha-256" in render("servers/postgres/pg_hba.conf.j2")


def test_a_forgotten_value_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="port"):
        render("servers/postgres/postgresql.conf.j2")
