"""What holds for every page: accessible, light, steady and fit for any window."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import ViewportSize, expect

from tests.client import Caller, File, picture
from tests.web.conftest import DESKTOP, PHONE
from tests.web.visitor import Gate, Visitor

MANY = 300
MOST_TILES = 120  # in the page of a job, before "show more"
MOST_REQUESTS = 20
MOST_BYTES = 60_000

MOST_BYTES_OF_A_TILE = 20_000
LARGE_MANY, LARGE_BYTES = 500, 5 << 20
LONGEST_TASK = 2000  # milliseconds in which the page does not answer; a tenth of it where nothing else runs
MOST_MEMORY = 50 << 20  # bytes that the scripts hold

SLOW = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 90_000}
SOON = 5000  # milliseconds; the line alone takes a second of it

WATCH_TASKS = """() => {
    window.longest = 0;
    new PerformanceObserver((list) => {
        for (const each of list.getEntries()) window.longest = Math.max(window.longest, each.duration);
    }).observe({ type: "longtask" });
}"""

MEASURE = """async () => {
    let shift = 0;
    new PerformanceObserver((list) => {
        for (const each of list.getEntries()) shift += each.value;
    }).observe({ type: "layout-shift", buffered: true });
    await new Promise((resolve) => setTimeout(resolve, 500));
    const files = ["resource", "navigation"].flatMap((kind) => performance.getEntriesByType(kind));
    const ours = files.filter((each) => !each.name.includes("/function/preview"));
    return { requests: ours.length, bytes: ours.reduce((sum, each) => sum + each.transferSize, 0), shift };
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_accessible_and_fitting(
    visit: Callable[..., Visitor], photographs: list[File], scheme: str, viewport: ViewportSize
) -> None:
    """No state of a page has a problem that axe-core knows, or is wider than the window."""
    gate = Gate()
    visitor = visit(color_scheme=scheme, viewport=viewport, reduced_motion="reduce")

    def check(state: str) -> None:
        assert (state, visitor.accessibility_problems()) == (state, [])
        assert (state, visitor.overflow()) == (state, 0)

    visitor.open()
    check("start")
    visitor.page.get_by_role("button", name="Text in the corner").click()
    for summary in visitor.page.locator("#options summary").all():
        summary.click()
    visitor.choose([*photographs, (f"{'long' * 40}.jpg", photographs[0][1][:300]), ("text.txt", b"hello")])
    expect(visitor.page.locator("#rejected")).not_to_be_empty()
    check("chosen")
    visitor.page.route("**/uploads/**", gate)
    visitor.page.locator("#send").click()
    visitor.see("#job-link")
    check("sending")
    gate.open()
    visitor.wait_for_job()
    check("waiting")
    visitor.wait_until_ready()
    visitor.page.get_by_text("Delete now").click()
    check("ready")
    visitor.page.get_by_role("button", name="Yes, delete everything").click()
    expect(visitor.page.locator("h1:visible")).to_have_text("These images are gone")
    check("gone")
    visitor.open(f"/job/{'0' * 32}")
    check("unknown")


def test_light_and_steady(visitor: Visitor) -> None:
    """The first page is a few small files, and nothing in it jumps."""
    visitor.open()
    expect(visitor.page.locator("#preview[src]")).to_be_visible()
    measured = visitor.page.evaluate(MEASURE)
    assert measured["requests"] <= MOST_REQUESTS
    assert measured["bytes"] < MOST_BYTES
    assert measured["shift"] < 0.02


def test_usable_soon_on_a_slow_line(visitor: Visitor) -> None:
    """By a line of 1.6 Mbit/s, 150 ms long, the first page is ready after a second; a busy machine may take two."""
    line = visitor.page.context.new_cdp_session(visitor.page)
    line.send("Network.enable")
    line.send("Network.emulateNetworkConditions", SLOW)
    visitor.open()
    visitor.page.wait_for_timeout(1000)
    # What is asked for first when all else is done.
    later = "performance.getEntriesByType('resource').find(({ name }) => name.endsWith('/schema')).startTime"
    assert visitor.page.evaluate(later) < SOON


def test_page_of_a_job_light_and_steady(visitor: Visitor, caller: Caller, photographs: list[File]) -> None:
    """The page of a job is light too: its images come small, and none of them moves the others."""
    job = caller.upload(photographs)
    caller.wait(job)
    visitor.open(f"/job/{job}")
    expect(visitor.page.locator("#countdown")).not_to_be_empty()
    measured = visitor.page.evaluate(MEASURE)
    assert measured["requests"] <= MOST_REQUESTS
    assert measured["bytes"] < MOST_BYTES + len(photographs) * MOST_BYTES_OF_A_TILE
    assert measured["shift"] < 0.02


def test_many_large_images(visitor: Visitor, photographs: list[File], tmp_path: Path) -> None:
    """Five hundred files of five megabytes are in the list in seconds, and the page never stops for long."""
    large = tmp_path / "folder" / "000.jpg"
    large.parent.mkdir()
    with Image.open(io.BytesIO(photographs[0][1])) as image:
        image.resize((5000, 4000)).save(large, quality=97)
    assert large.stat().st_size < LARGE_BYTES
    os.truncate(large, LARGE_BYTES)  # what follows the image's end is passed over
    for number in range(1, LARGE_MANY):
        (large.parent / f"{number:03}.jpg").hardlink_to(large)
    visitor.open()
    visitor.page.evaluate(WATCH_TASKS)
    visitor.choose_folder(large.parent)
    expect(visitor.tiles()).to_have_count(LARGE_MANY)
    expect(visitor.page.locator("#chosen canvas").first).to_be_visible()
    visitor.page.mouse.wheel(0, 3000)
    visitor.page.wait_for_timeout(2000)
    assert visitor.page.locator("#chosen canvas").count() < LARGE_MANY / 10
    assert visitor.page.evaluate("longest") < LONGEST_TASK
    assert visitor.page.evaluate("performance.memory.usedJSHeapSize") < MOST_MEMORY


def test_many_images(visitor: Visitor) -> None:
    """Hundreds of images keep the pages small: only what is near the window is drawn."""
    visitor.open()
    visitor.choose([(f"{number:03}.png", picture((64, 48), f"#{number:06x}", "PNG")) for number in range(MANY)])
    expect(visitor.tiles()).to_have_count(MANY)
    expect(visitor.page.locator("#chosen canvas").first).to_be_visible()
    assert visitor.page.locator("#chosen canvas").count() < MANY / 2
    visitor.send()
    visitor.wait_until_ready()
    expect(visitor.tiles()).to_have_count(MOST_TILES)
    expect(visitor.page.locator("#hidden")).to_have_text(f"{MANY - MOST_TILES} more images are not shown here.")
    visitor.page.get_by_role("button", name="Show more").click()
    expect(visitor.tiles()).to_have_count(2 * MOST_TILES)
    visitor.page.get_by_role("button", name="Show more").click()
    expect(visitor.tiles()).to_have_count(MANY)
    expect(visitor.page.get_by_role("button", name="Show more")).to_be_hidden()
    assert len(visitor.download()) == MANY + 1
