"""Pictures of every state of the pages, to be looked at: make screenshots

Phone and desktop, light and dark, English and Russian; the platform is started for it and runs the real flow.
"""

import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, ViewportSize, expect

from tests.client import PHOTOGRAPHS, Caller
from tests.platform_driver import temporary_platform
from tests.web.conftest import DESKTOP, PHONE, chromium
from tests.web.visitor import Gate, Visitor

FOLDER = Path("build/screenshots")
Look = tuple[str, ViewportSize, Literal["light", "dark"], str]
LOOKS: list[Look] = [
    ("desktop", DESKTOP, "light", "en-GB"),
    ("desktop", DESKTOP, "dark", "en-GB"),
    ("desktop", DESKTOP, "light", "ru-RU"),
    ("phone", PHONE, "light", "en-GB"),
    ("phone", PHONE, "dark", "en-GB"),
    ("phone", PHONE, "light", "ru-RU"),
]
SETTLED = 700  # milliseconds in which pictures appear


def main(folder: Path) -> None:
    """Make all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with temporary_platform() as platform, chromium() as browser:
        for device, viewport, scheme, locale in LOOKS:
            phone = device == "phone"
            context = browser.new_context(
                viewport=viewport, color_scheme=scheme, locale=locale, is_mobile=phone, has_touch=phone
            )
            visitor = Visitor(context.new_page(), platform.url)
            name = f"{device}-{scheme}-{locale[:2]}"
            walk(visitor, partial(shoot, visitor, folder, name))
            context.close()
        without_scripts(browser, platform.url, folder)
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


def walk(visitor: Visitor, shoot: Callable[[str], None]) -> None:
    """Go through every state of the pages once."""
    files = [(path.name, path.read_bytes()) for path in PHOTOGRAPHS]
    files.append(("a damaged picture with a long name.jpg", files[0][1][:300]))
    page = visitor.page
    visitor.open()
    expect(page.locator("#preview[src]")).to_be_visible()
    shoot("1-start")
    visitor.choose([*files, ("notes.txt", b"no image")])
    page.locator("[data-preset=text_corner]").click()
    shoot("2-chosen")
    for summary in page.locator("#options summary").all():
        summary.click()
    shoot("3-options")
    gate = Gate()
    page.route(re.compile(r"/uploads/direct/\w+/[4-9]\?"), gate)
    page.locator("#send").click()
    expect(page.locator("#chosen .tile.done")).to_have_count(3)
    shoot("4-sending")
    page.reload()
    gate.drop()
    expect(page.locator("#arrived")).not_to_be_empty()
    shoot("5-interrupted")
    visitor.open(page.evaluate("JSON.parse(sessionStorage.upload).page"))
    expect(page.locator(".tile.done")).to_have_count(3, timeout=30_000)
    shoot("6-waiting")
    caller = Caller(visitor.url)
    caller.http.post(f"/function/upload/{page.url.rsplit('/', 1)[1]}/close")
    visitor.wait_until_ready()
    shoot("7-ready-some")
    bad = caller.upload([files[-1]])
    good = caller.upload(files[:-1], text="© 2026 Anna", position="bottom-right", size="0.3", opacity="0.9")
    for state, job in (("8-none", bad), ("9-ready", good)):
        caller.wait(job)
        visitor.open(f"/job/{job}")
        shoot(state)
    page.locator("a.picture").nth(1).click()
    expect(page.locator("#compare.ready")).to_be_visible()
    shoot("10-viewer")
    page.keyboard.press("Escape")
    if page.locator("#to-phone").is_visible():  # not on the phone itself
        page.locator("#to-phone").click()
        shoot("11-to-phone")
        page.keyboard.press("Escape")
    page.locator(".sure summary").click()
    shoot("12-delete")
    visitor.open(f"/?again={good}")
    expect(page.locator("#preview[alt*=mark], #preview[alt*=знак]")).to_be_visible()
    shoot("13-again")
    caller.http.delete(f"/job/{good}")
    visitor.open(f"/job/{good}")
    shoot("14-gone")
    visitor.open(f"/job/{'0' * 32}")
    shoot("15-unknown")
    caller.http.close()


def without_scripts(browser: Browser, url: str, folder: Path) -> None:
    """The pages in a browser without JavaScript."""
    context = browser.new_context(viewport=DESKTOP, locale="en-GB", java_script_enabled=False)
    visitor = Visitor(context.new_page(), url)
    visitor.page.goto(url)
    visitor.page.screenshot(path=folder / "plain-1-start.png", full_page=True)
    visitor.choose([(path.name, path.read_bytes()) for path in PHOTOGRAPHS])
    visitor.send()
    visitor.wait_until_ready()
    visitor.page.screenshot(path=folder / "plain-2-ready.png", full_page=True)
    context.close()


def shoot(visitor: Visitor, folder: Path, name: str, state: str) -> None:
    """One picture of the whole page; the window is made as high as it, for pictures appear only near the window."""
    page = visitor.page
    window = page.viewport_size or DESKTOP
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size(ViewportSize(width=window["width"], height=max(window["height"], height)))
    page.wait_for_timeout(SETTLED)
    page.screenshot(path=folder / f"{name}-{state}.png")
    page.set_viewport_size(window)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
