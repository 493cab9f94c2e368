"""What functions read from a request."""

import io
from ipaddress import IPv6Address, ip_network

import pytest
from countermark.http.calls import Event, is_message, json_object, owner_of
from countermark.http.problems import Problem
from hypothesis import assume, given
from hypothesis import strategies as st
from werkzeug.datastructures import EnvironHeaders, Headers


def called_by(value: str | None) -> Event:
    """A call of which the gateway says this, given as a server gives it: with any text."""
    headers = EnvironHeaders({} if value is None else {"HTTP_COUNTERMARK_CALLER": value})
    return Event(method="GET", path="/", query={}, headers=headers, stream=io.BytesIO())


@pytest.mark.parametrize(
    ("value", "owner"),
    [
        ("192.0.2.7", "address:192.0.2.7"),
        (" 192.0.2.7 ", "address:192.0.2.7"),
        ("10.0.0.1, 192.0.2.7", "address:unknown"),
        ("::ffff:192.0.2.7", "address:192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "address:2001:db8:1:2::/64"),
        ("2001:0DB8:1:2::ffff", "address:2001:db8:1:2::/64"),
        ("fe80::1%eth0", "address:fe80::/64"),
        (None, "address:unknown"),
        ("", "address:unknown"),
        ("192.0.2.7,", "address:unknown"),
        ("192.0.2.7, unknown", "address:unknown"),
        ("192.0.2.7:4711", "address:unknown"),
        ("[2001:db8::1]", "address:unknown"),
        ("192.0.2.300", "address:unknown"),
    ],
)
def test_a_callers_share_is_that_of_the_address_which_the_gateway_saw(value: str | None, owner: str) -> None:
    assert owner_of(called_by(value)) == owner


def parts() -> st.SearchStrategy[str]:
    """Entries of the header: addresses, nearly addresses, and anything."""
    addresses = st.ip_addresses().map(str)
    return addresses | st.text(alphabet="0123456789abcdef.:%[]/", max_size=45) | st.text()


@given(parts())
def test_whatever_the_header_says_there_is_an_owner(value: str) -> None:
    kind, _, rest = owner_of(called_by(value)).partition(":")
    assert kind == "address"
    assert rest == "unknown" or ip_network(rest).prefixlen in {32, 64}


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_a_network_has_one_share(address: IPv6Address, host: int) -> None:
    neighbour = IPv6Address(int(address) >> 64 << 64 | host)
    assume(address.ipv4_mapped is None and neighbour.ipv4_mapped is None)
    assert owner_of(called_by(str(neighbour))) == owner_of(called_by(str(address)))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"3", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(Problem, match="JSON"):
        json_object(body)


def message(kind: str | None) -> Event:
    """A request that says that it is a message of this kind."""
    return Event(
        method="POST", path="/", query={}, headers=Headers({"ce-type": kind} if kind else {}), stream=io.BytesIO()
    )


def test_a_function_takes_its_own_kind_of_messages_alone() -> None:
    assert is_message(message("jobs.complete"), "jobs.complete")
    assert not is_message(message(None), "jobs.complete")
    with pytest.raises(Problem, match=r"jobs\.complete.*jobs\.expired"):
        is_message(message("jobs.expired"), "jobs.complete")
