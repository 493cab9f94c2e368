"""The whole flow with fewer sessions of the database than there are connections, as behind a cluster's pooler."""

from typing import Any
from urllib.parse import urlsplit

from countermark.servers.database import Database
from pg8000.native import Connection

from tests.client import caller_of, picture, unpack
from tests.system.pooler import pooled


def test_jobs_go_through_a_pooler(platform: Any, make_platform: Any) -> None:
    url = urlsplit(platform.secret("database-url"))
    own = Connection(url.username, host=url.hostname, port=url.port, password=url.password, database="postgres")
    own.run("CREATE DATABASE pooled")
    own.close()
    with (
        pooled(url._replace(path="/pooled").geturl()) as address,
        make_platform(DATABASE_URL=address, DROP_QUIET="1") as behind,
        caller_of(behind) as caller,
    ):
        jobs = [caller.upload([(f"{n}.jpg", picture((60 + n, 40))) for n in range(12)]) for _ in range(4)]
        caller.drop("pooled/a.jpg", picture())
        for job in jobs:
            assert caller.wait(job)["done"] == 12
            assert len(caller.archive(job)) == 13
        assert "a.jpg" in unpack(caller.result("pooled.zip"))
        assert caller.http.delete(f"/job/{jobs[0]}").status_code == 204
        seen = Database(address)
        assert seen.query(lambda connection: connection.run("SELECT count(*) FROM jobs WHERE state = 'ready'")) == [[4]]
        seen.close()
