"""A server that answers as a store in trouble does; what stores do when all is well is tried on real ones."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ERROR = '<?xml version="1.0"?><Error><Code>{code}</Code><Message>m</Message><Resource>/</Resource></Error>'


@dataclass
class Request:
    """A request, and the means to answer it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    handler: BaseHTTPRequestHandler = field(repr=False)

    def answer(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        """Answer in whole; a name of a header has _ for -."""
        self.begin(status, len(body), **headers)
        if self.method != "HEAD":
            self.handler.wfile.write(body)

    def begin(self, status: int, length: int, **headers: str) -> None:
        """Send the head of an answer with so many bytes."""
        self.handler.send_response(status)
        for name, value in ({"Content_Length": str(length)} | headers).items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()

    def error(self, status: int, code: str) -> None:
        """Answer with an error."""
        self.answer(status, ERROR.format(code=code).encode())

    def cut(self) -> None:
        """End the connection."""
        self.handler.close_connection = True
        self.handler.wfile.flush()
        self.handler.connection.shutdown(2)


@dataclass
class FakeStore:
    """The server's address, and what it was asked."""

    url: str
    requests: list[Request]


@contextmanager
def fake_store(respond: Callable[[Request], None]) -> Iterator[FakeStore]:
    """A store whose answers ``respond`` gives."""
    requests: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:  # the client has left
                self.close_connection = True

        def take(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size)
            request = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body, self)
            requests.append(request)
            respond(request)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = take  # noqa: N815 -- the library's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield FakeStore(f"http://127.0.0.1:{server.server_port}", requests)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
