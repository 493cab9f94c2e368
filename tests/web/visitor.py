"""Somebody with a browser, so that tests read as what people do."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from tests.client import File, unpack

READY_MILLISECONDS = 60_000
HARMLESS = re.compile(
    r"Failed to load resource: the server responded with a status of (404|410)"
    r"|was preloaded using link preload but not used within a few seconds"
)
"""What the browser writes when the page of a job that is gone is opened, and when a busy machine opens one slowly."""


STOP_MOVING = """() => {
    for (const each of document.getAnimations()) {
        if (each.effect.getTiming().iterations === Infinity) each.cancel();
        else each.finish();
    }
}"""


def payload(files: Sequence[File]) -> list[FilePayload]:
    """Files as the browser's driver takes them; the browser finds the types by the names."""
    return [FilePayload(name=name, mimeType="", buffer=data) for name, data in files]


def broken(photograph: File) -> File:
    """A photograph of which only the beginning is there."""
    return f"broken {photograph[0]}", photograph[1][:300]


def crop(data: bytes, box: tuple[int, int, int, int]) -> bytes:
    """A part of an image, as PNG."""
    out = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").crop(box).save(out, "PNG")
    return out.getvalue()


class Gate:
    """Holds requests back until it is opened: `page.route(pattern, gate)`."""

    def __init__(self) -> None:
        self.is_open = False
        self.waiting: list[Route] = []

    def __call__(self, route: Route) -> None:
        if self.is_open:
            route.continue_()
        else:
            self.waiting.append(route)

    def open(self) -> None:
        """Let all go on, those that wait and those that come."""
        self.is_open = True
        while self.waiting:
            self.waiting.pop().continue_()

    def drop(self) -> None:
        """Break off those that wait, and let those go on that come."""
        self.is_open = True
        while self.waiting:
            self.waiting.pop().abort()


@dataclass
class Visitor:
    """A visitor of the platform at an address, and all that the browser complained about."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self._complain(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _complain(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not HARMLESS.search(text):
            self.complaints.append(text)

    def open(self, path: str = "/") -> None:
        """Open a page; the upload page is waited for until it takes files."""
        self.page.goto(f"{self.url}{path}")
        if path == "/":
            expect(self.page.locator("#limits")).to_contain_text(re.compile(r"\d"))

    def see(self, selector: str) -> Locator:
        """The element, when it is visible."""
        found = self.page.locator(selector).first
        expect(found).to_be_visible()
        return found

    def choose(self, files: Sequence[File]) -> None:
        """Choose files."""
        self.page.set_input_files("#choose-files", payload(files))

    def choose_folder(self, folder: Path) -> None:
        """Choose a folder."""
        self.page.set_input_files("#choose-folder", folder)

    def tiles(self) -> Locator:
        """The tiles of the images."""
        return self.page.locator(".tile")

    def send(self) -> str:
        """Send what is chosen; the job's id, when its page is there."""
        self.page.locator("#send").click()
        return self.wait_for_job()

    def wait_for_job(self) -> str:
        """The id of the job whose page opens."""
        self.page.wait_for_url("**/job/*", timeout=READY_MILLISECONDS)
        return self.page.url.rsplit("/", 1)[1].split("?")[0]

    def wait_until_ready(self) -> None:
        """Wait until the ZIP can be downloaded."""
        expect(self.page.locator("#download")).to_be_visible(timeout=READY_MILLISECONDS)

    def download(self) -> dict[str, bytes]:
        """Download the ZIP; what is in it, by name."""
        with self.page.expect_download() as download:
            self.page.locator("#download").click()
        return unpack(Path(download.value.path()).read_bytes())

    def accessibility_problems(self) -> list[str]:
        """What axe-core finds wrong with the page as it is now."""
        self.page.evaluate(STOP_MOVING)
        found = Axe().run(self.page).response["violations"]
        return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]

    def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        wider: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return wider
