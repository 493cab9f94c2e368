"""An upload is worked on while it comes: its first image is marked before its last byte, and no image waits on disk."""

import http.client
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import pytest

from tests.client import Caller, picture
from tests.platform_driver import Platform, wait_until
from tests.system.rows import Rows

MIB = 1024 * 1024
SLOW = 500
HEAD = '--b\r\nContent-Disposition: form-data; name="files"; filename="{}"\r\n\r\n'
NEXT = "\r\n"
END = "\r\n--b--\r\n"


class Sender:
    """Somebody who sends the body of an upload piece by piece."""

    def __init__(self, port: int, **headers: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._connection.putrequest("POST", "/function/upload" if not headers else "/")
        form = {"Content-Type": "multipart/form-data; boundary=b", "Transfer-Encoding": "chunked"}
        for name, value in {**form, **headers}.items():
            self._connection.putheader(name, value)
        self._connection.endheaders()

    def send(self, data: bytes | str) -> None:
        """Send some of it."""
        data = data.encode() if isinstance(data, str) else data
        self._connection.send(b"%x\r\n%s\r\n" % (len(data), data))

    def begin(self, name: str, data: bytes) -> None:
        """Send the beginning of a file."""
        self.send(HEAD.format(name).encode() + data)

    def end(self) -> http.client.HTTPResponse:
        """Send the end of the last file, and read the answer."""
        self.send(END)
        self._connection.send(b"0\r\n\r\n")
        return self._connection.getresponse()

    def close(self) -> None:
        """Cut the connection."""
        self._connection.close()


@pytest.fixture
def sender(platform: Platform) -> Iterator[Sender]:
    """Somebody."""
    with closing(Sender(platform.port)) as sender:
        yield sender


def states(rows: Rows, name: str) -> list[str]:
    """The states of the images of a name."""
    return [state for (state,) in rows.ask("SELECT state FROM images WHERE name = :name", name=name)]


def temporary_bytes(pid: int) -> int:
    """What a process has in temporary files that have no name."""
    found = 0
    for each in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if "(deleted)" in str(each.readlink()):
                found += each.stat().st_size
        except OSError:
            continue
    return found


def test_the_first_image_is_marked_while_the_others_are_still_sent(sender: Sender, caller: Caller, rows: Rows) -> None:
    sender.begin("first of two.jpg", picture())
    sender.send(NEXT)
    sender.begin("second of two.jpg", picture()[:100])
    wait_until(lambda: states(rows, "first of two.jpg") == ["done"])
    assert states(rows, "second of two.jpg") == []
    sender.send(picture()[100:])
    answer = sender.end()
    assert answer.status == 202
    job = answer.headers["Location"].rpartition("/")[2]
    assert caller.wait(job)["done"] == 2


def test_an_upload_that_is_cut_off_leaves_nothing(sender: Sender, rows: Rows) -> None:
    sender.begin("cut off while it is sent.jpg", picture())
    sender.send(NEXT)
    sender.begin("never sent.jpg", b"")
    wait_until(lambda: states(rows, "cut off while it is sent.jpg"))
    job = rows.one("SELECT job_id FROM images WHERE name = 'cut off while it is sent.jpg'")
    sender.close()
    wait_until(lambda: rows.one("SELECT state FROM jobs WHERE id = :id", id=job) == "gone")
    assert rows.ask("SELECT key FROM ledger WHERE job_id = :id", id=job) == []


def send_half(sender: Sender, name: str, head: bytes) -> None:
    """Send 30 MiB of a file; of these, all but what networks hold has come when this returns."""
    sender.begin(name, head)
    data = os.urandom(MIB)
    for _ in range(30):
        sender.send(data)


def test_an_image_is_not_on_disk_before_it_is_stored(platform: Platform, sender: Sender, rows: Rows) -> None:
    (pid,) = platform.pids("upload")
    send_half(sender, "half of one.jpg", b"")
    assert temporary_bytes(pid) == 0
    wait_until(lambda: states(rows, "half of one.jpg") == ["expected"])


def test_a_zip_is_on_disk_until_its_end_has_come(platform: Platform, sender: Sender) -> None:
    (pid,) = platform.pids("upload")
    send_half(sender, "half of one.zip", b"PK\x03\x04")
    wait_until(lambda: temporary_bytes(pid) >= 20 * MIB)


def test_hundreds_who_send_a_byte_now_and_then_harm_nobody(platform: Platform, caller: Caller) -> None:
    (pid,) = platform.pids("upload")
    process = psutil.Process(pid)
    port, before = platform.ports["upload"], process.memory_info().rss
    with ExitStack() as stack:
        # Straight to the function, as the gateway would send them from many addresses.
        slow = [
            stack.enter_context(closing(Sender(port, **{"Countermark-Caller": f"198.51.{n // 250}.{n % 250}"})))
            for n in range(SLOW)
        ]
        for each in slow:
            each.begin("slow.jpg", b"\xff")
        wait_until(lambda: len(process.net_connections()) >= SLOW)
        for each in slow:
            each.send(b"\xd8")
        assert caller.wait(caller.upload([("fast.jpg", picture())]))["done"] == 1
        assert process.num_threads() < 60
        assert process.memory_info().rss - before < 50 * MIB


def test_too_many_from_one_address_are_told_to_come_later(platform: Platform, caller: Caller) -> None:
    port, headers = platform.ports["upload"], {"Countermark-Caller": "198.51.100.1"}
    with ExitStack() as stack:
        for _ in range(64):
            stack.enter_context(closing(Sender(port, **headers))).begin("slow.jpg", b"\xff")
        with closing(socket.create_connection(("127.0.0.1", port), timeout=60)) as connection:
            connection.sendall(
                b"POST / HTTP/1.1\r\nHost: a\r\nCountermark-Caller: 198.51.100.1\r\nContent-Length: 100\r\n\r\n"
            )
            assert connection.recv(4096).startswith(b"HTTP/1.1 429 ")
        assert caller.post([("a.jpg", picture())]).status_code == 202
