"""The files of PostgreSQL on one machine."""

from infra.render import render


def configuration(*, port: int, hba_file: str) -> str:
    """The server's settings."""
    return render("servers/postgres/postgresql.conf.j2", port=port, hba_file=hba_file)


def access() -> str:
    """Who may connect."""
    return render("servers/postgres/pg_hba.conf.j2")
