"""The functions' settings and logs, as tests need them."""

import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from countermark.http.application import make_app
from countermark.http.calls import CALLER_HEADER, Event
from countermark.http.leaving import Leaving
from countermark.services import Services
from countermark.settings import limit_settings, settings
from countermark.testing import MemoryObjects
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

Call = Callable[..., Event]
ClientOf = Callable[[Any], FlaskClient]


class Objects(MemoryObjects):
    """A store that can fail, and that does something just before a call; it remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, Callable[[], object]] = {}
        """By method; done once."""
        self.links: list[dict[str, Any]] = []
        """What links were asked for."""

    def _come(self, method: str) -> None:
        if do := self.before.pop(method, None):
            do()

    def read(self, *arguments: Any, **named: Any) -> Any:
        self._come("read")
        return super().read(*arguments, **named)

    def write(self, *arguments: Any, **named: Any) -> Any:
        self._come("write")
        return super().write(*arguments, **named)

    def begin(self, *arguments: Any, **named: Any) -> Any:
        self._come("begin")
        return super().begin(*arguments, **named)

    def list(self, *arguments: Any, **named: Any) -> Any:
        self._come("list")
        return super().list(*arguments, **named)

    def link_to_get(self, address: str, bucket: str, key: str, **named: Any) -> str:
        self.links.append({"address": address, "bucket": bucket, "key": key, **named})
        return super().link_to_get(address, bucket, key, **named)

    def link_to_put(self, address: str, bucket: str, key: str, **named: Any) -> str:
        self.links.append({"address": address, "bucket": bucket, "key": key, **named})
        return super().link_to_put(address, bucket, key, **named)


@pytest.fixture
def store() -> Objects:
    """The store that the functions have."""
    return Objects()


@pytest.fixture
def own(own: Services, store: Objects) -> Services:
    """What the functions are handed, with that store."""
    return Services(settings=own.settings, database=own.database, objects=store, publisher=own.publisher)  # type: ignore[arg-type]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, own: Services) -> Iterator[Call]:
    """Makes a call: ``call("POST", "/x", body, query={"a": "b"}, **{"Content-Type": "text/plain"})``."""
    known = own.settings
    for name, value in {
        "DATABASE_URL": known.database_url.get_secret_value(),
        "NATS_URL": known.nats_url.get_secret_value(),
        "S3_ENDPOINT": known.s3_endpoint,
        "S3_ACCESS_KEY": known.s3_access_key.get_secret_value(),
        "S3_SECRET_KEY": known.s3_secret_key.get_secret_value(),
    }.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()

    def make(
        method: str, path: str = "/", body: bytes = b"", *, query: dict[str, str] | None = None, **headers: str
    ) -> Event:
        sent = {CALLER_HEADER: "192.0.2.1", "Host": "countermark.example", **headers}
        return Event(method=method, path=path, query=query or {}, headers=Headers(sent), stream=io.BytesIO(body))

    yield make
    settings.cache_clear()
    limit_settings.cache_clear()


@pytest.fixture
def client_of(monkeypatch: pytest.MonkeyPatch, own: Services, call: Call) -> ClientOf:  # noqa: ARG001 -- sets the environment
    """Calls a function as its server does: ``client_of(handler).get("/")``."""

    def make(handler: Any) -> FlaskClient:
        monkeypatch.setattr(handler, "services", lambda: own)
        render = getattr(handler, "render_problem", None)
        return make_app(handler.handle, name="function", leaving=Leaving(), render_problem=render).test_client()

    return make


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Functions log what tests look for in the rows."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
