"""Statements behind a pooler, where each transaction may get another session, and sessions are fewer than threads."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from countermark.servers.database import Database

from tests.system.pooler import SESSIONS, pooled, why_not

THREADS = 4 * SESSIONS


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_everybody_gets_his_own_answers(postgres: str) -> None:
    with pooled(postgres) as address, ThreadPoolExecutor(THREADS) as pool:
        database = Database(address)

        def ask(who: int) -> set[int]:
            sessions = set()
            for n in range(60):
                answer, session = database.rows(
                    "SELECT CAST(:who AS int) * 1000 + CAST(:n AS int), pg_backend_pid()", who=who, n=n
                )[0]
                assert answer == who * 1000 + n
                sessions.add(session)
                with database.transaction() as connection:
                    connection.run("SELECT set_config('countermark.who', :who, true)", who=str(who))
                    assert connection.run("SELECT current_setting('countermark.who')") == [[str(who)]]
            assert database.call("SELECT length(:text)", text="x" * 300_000) == 300_000
            database.close()
            return sessions

        sessions = set().union(*pool.map(ask, range(THREADS)))
    assert 1 < len(sessions) <= SESSIONS
