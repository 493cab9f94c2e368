"""Connections that notice when the other side is gone without a word."""

import socket
from typing import Any

IDLE_SECONDS, INTERVAL_SECONDS, PROBES = 5, 2, 3
SECONDS = IDLE_SECONDS + INTERVAL_SECONDS * PROBES
"""After so long a peer that answers nothing is given up; Linux's own limits are a quarter of an hour, and two hours."""


def watched_socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket for a connection to an address, as the event loop resolved it."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_SECONDS)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, INTERVAL_SECONDS)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SECONDS * 1000)  # for what was sent and not received
    return made
