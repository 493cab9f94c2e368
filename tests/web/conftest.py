"""What the tests of the pages share: a real browser before the running platform."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, ViewportSize, expect, sync_playwright

from tests.client import PHOTOGRAPHS, Caller, File
from tests.web.visitor import Visitor

DESKTOP = ViewportSize(width=1280, height=860)
PHONE = ViewportSize(width=360, height=740)


MILLISECONDS = 20_000
"""A page may take so long, on a machine that has much else to do."""
expect.set_options(timeout=MILLISECONDS)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium if there is one, else Playwright's own."""
    sandbox = [] if os.geteuid() else ["--no-sandbox"]  # Chromium refuses its sandbox to root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=sandbox,
            ignore_default_args=["--disable-back-forward-cache"],  # people's browsers have it
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of a module; each visitor has a context of its own in it.

    While it is there a loop runs in this thread, and what comes after the module may want to run one.
    """
    with chromium() as browser:
        yield browser


@pytest.fixture
def site(platform: Any) -> str:
    """The address that is visited."""
    url: str = platform.url
    return url


@pytest.fixture
def visit(browser: Browser, site: str) -> Iterator[Callable[..., Visitor]]:
    """Make visitors: `visit(locale="ru-RU", color_scheme="dark")`. What the browser complains about fails the test."""
    visitors: list[Visitor] = []

    def make(**options: Any) -> Visitor:
        context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", **options})
        context.set_default_timeout(MILLISECONDS)
        visitors.append(Visitor(context.new_page(), site))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.page.context.close()
    assert [visitor.complaints for visitor in visitors if visitor.complaints] == []


@pytest.fixture
def visitor(visit: Callable[..., Visitor]) -> Visitor:
    """A visitor at a desk who reads English."""
    return visit()


@pytest.fixture(scope="session")
def caller(platform: Any) -> Iterator[Caller]:
    """A program that uses the platform."""
    caller = Caller(platform.url)
    yield caller
    caller.http.close()


@pytest.fixture(scope="session")
def photographs() -> list[File]:
    """Real photographs."""
    return [(path.name, path.read_bytes()) for path in PHOTOGRAPHS]
