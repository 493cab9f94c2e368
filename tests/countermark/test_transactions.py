"""Transactions on a real server: what ends them, and what callers are told."""

import os
import resource
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

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


SESSION = "SELECT pg_backend_pid()"


def test_threads_that_take_turns_share_a_connection(database: Database) -> None:
    """Each has a process of the server, with memory and everything that it compiles anew."""
    first = database.call(SESSION)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(8):
            assert pool.submit(database.call, SESSION).result() == first
    with database.transaction() as one, database.transaction() as another:
        assert one.run(SESSION) != another.run(SESSION)


def test_a_connection_that_the_server_has_ended_is_replaced(database: Database, postgres: str) -> None:
    """A transaction that nobody may ask twice begins on one that lives."""
    first, other = database.call(SESSION), Database(postgres)
    assert other.call("SELECT pg_terminate_backend(:session, 5000)", session=first)
    other.close()
    with database.transaction() as connection:
        assert connection.run(SESSION) != [[first]]


def test_a_connection_is_not_used_again_after_an_error(database: Database) -> None:
    first = database.call(SESSION)
    with pytest.raises(KeyError), database.transaction():
        raise KeyError
    assert database.call(SESSION) != first


def test_a_process_may_have_as_many_open_files_as_it_likes(postgres: str) -> None:
    """Such as the connections of hundreds of slow uploads: select() knows no file beyond the 1,024th."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    others = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        database = Database(postgres)
        for _ in range(2):
            assert database.call("SELECT 1") == 1
        database.close()
    finally:
        for each in others:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_server_that_lets_nobody_in_is_away(postgres: str) -> None:
    user = urlsplit(postgres).username
    with pytest.raises(Unavailable):
        Database(postgres.replace(f"//{user}", "//nobody", 1)).call("SELECT 1")
