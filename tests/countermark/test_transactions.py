"""Transactions on a real server: what ends them, and what callers are told."""

import pytest
from countermark.http.problems import Problem, Unavailable
from countermark.servers.database import Database


def test_the_server_ends_a_transaction_that_says_nothing(database: Database) -> None:
    """A host that is lost in the middle of one would keep the row of its job locked for hours."""
    with database.transaction() as connection:
        assert connection.run("SHOW idle_in_transaction_session_timeout") == [["5s"]]


@pytest.mark.parametrize("sqlstate", ["53100", "53200", "58030", "57P01", "40001", "08006"])
def test_a_server_that_can_not_just_now_is_away(database: Database, sqlstate: str) -> None:
    with pytest.raises(Unavailable):
        database.rows(f"DO $$ BEGIN RAISE EXCEPTION SQLSTATE '{sqlstate}'; END $$")


def test_a_value_that_no_column_takes_is_the_callers(database: Database) -> None:
    with pytest.raises(Problem) as refused:
        database.rows("SELECT CAST(:text AS text)", text="\0")
    assert refused.value.status == 400


def test_what_fails_was_not(database: Database) -> None:
    def change_and_fail() -> None:
        with database.transaction() as connection:
            connection.run("UPDATE sweeps SET generation = 7")
            raise KeyError

    with pytest.raises(KeyError):
        change_and_fail()
    assert database.call("SELECT generation FROM sweeps") == 0
