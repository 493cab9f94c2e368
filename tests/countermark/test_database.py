"""How the address of a database is read."""

import ssl
from urllib.parse import parse_qs

import certifi
import pytest
from countermark.servers.database import ssl_context


@pytest.mark.parametrize("query", ["", "sslmode=disable", "sslmode=prefer"])
def test_nothing_is_encrypted_that_nobody_asks_for(query: str) -> None:
    assert ssl_context(parse_qs(query)) is None


@pytest.mark.parametrize(
    ("query", "verified", "named"),
    [
        ("sslmode=require", ssl.CERT_NONE, False),
        (f"sslmode=require&sslrootcert={certifi.where()}", ssl.CERT_REQUIRED, False),
        ("sslmode=verify-ca", ssl.CERT_REQUIRED, False),
        ("sslmode=verify-full", ssl.CERT_REQUIRED, True),
    ],
)
def test_as_much_is_verified_as_libpq_verifies(query: str, verified: ssl.VerifyMode, named: bool) -> None:
    context = ssl_context(parse_qs(query))
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (verified, named)
