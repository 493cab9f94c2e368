"""Settings that a few steps reach, and a database without a row."""

from countermark.servers.database import Database
from countermark.settings import Settings

DAY = 24 * 3600


def small_settings(url: str, **changed: object) -> Settings:
    """The settings of the functions; of the servers only the database is one."""
    values: dict[str, object] = {
        "database_url": url,
        "nats_url": "nats://nobody:4222",
        "s3_endpoint": "http://nobody",
        "s3_access_key": "nobody",
        "s3_secret_key": "nothing",
        "line_share": 2,
        "lease_seconds": DAY,  # time passes when a test says so, and not while it runs
        "drop_quiet": DAY,
        "image_attempts": 3,
        "archive_attempts": 3,
    }
    return Settings(**(values | changed))


def clean(database: Database) -> None:
    """Take every row out; the files of tables begin anew, so that rows come in the same order each time."""
    with database.transaction() as connection:
        connection.run("TRUNCATE outbox, ledger, images, jobs RESTART IDENTITY")
        connection.run("UPDATE sweeps SET swept_at = now(), listed_at = '-infinity', generation = 0")
