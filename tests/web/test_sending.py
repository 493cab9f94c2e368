"""Sending images: lost connections, refusals, cancelling, and an upload that a reload interrupts."""

import re

from playwright.sync_api import Route, expect

from tests.client import Caller, File
from tests.web.visitor import Gate, Visitor


def test_connection_breaks_off(visitor: Visitor, photographs: list[File]) -> None:
    """A lost connection only makes the upload longer."""
    refusals = iter([True] * 3)

    def refuse(route: Route) -> None:
        route.abort() if next(refusals, False) else route.continue_()

    visitor.open()
    visitor.page.route("**/uploads/**", refuse)
    visitor.choose(photographs[:3])
    visitor.page.locator("#send").click()
    expect(visitor.page.locator("#stalled")).to_contain_text("No connection")
    visitor.wait_for_job()
    visitor.wait_until_ready()
    assert {name for name, _ in photographs[:3]} <= set(visitor.download())
    visitor.complaints.clear()  # the browser names each broken connection


def test_one_file_cannot_be_sent(visitor: Visitor, photographs: list[File]) -> None:
    """What the store refuses is said, can be tried again, and the others go on without it."""

    visitor.open()
    visitor.page.route(re.compile(r"/uploads/direct/\w+/1(\?|$)"), lambda route: route.fulfill(status=403))
    visitor.choose(photographs[:3])
    visitor.page.locator("#send").click()
    expect(visitor.page.locator("#unsent")).to_have_text("1 image could not be sent.")
    expect(visitor.page.locator("#again")).to_be_focused()
    visitor.page.locator("#again").click()
    expect(visitor.page.locator("#unsent")).to_have_text("1 image could not be sent.")
    visitor.page.locator("#go-on").click()
    visitor.wait_for_job()
    visitor.wait_until_ready()
    assert {photographs[1][0], photographs[2][0]} <= set(visitor.download())
    visitor.complaints.clear()  # the refusals


def test_cancel(visitor: Visitor, caller: Caller, photographs: list[File]) -> None:
    """A cancelled upload leaves nothing on the server and its images in the list."""
    visitor.open()
    gate = Gate()
    visitor.page.route("**/uploads/**", gate)  # nothing arrives
    visitor.choose(photographs[:2])
    visitor.page.locator("#send").click()
    link = str(visitor.see("#job-link").get_attribute("href"))
    visitor.page.locator("#cancel").click()
    gate.drop()
    expect(visitor.page.get_by_role("alert")).to_contain_text("Cancelled")
    expect(visitor.tiles()).to_have_count(2)
    assert caller.http.get(link, headers={"Accept": "application/json"}).status_code == 410


def test_reload_while_sending(visitor: Visitor, photographs: list[File]) -> None:
    """An upload that a reload has interrupted goes on when the same files are chosen again."""
    gate = Gate()
    visitor.open()
    visitor.page.route(re.compile(r"/uploads/direct/\w+/[23](\?|$)"), gate)
    visitor.choose(photographs[:3])
    visitor.page.locator("#send").click()
    expect(visitor.page.locator("#chosen .tile.done")).to_have_count(1)
    link = str(visitor.see("#job-link").get_attribute("href"))
    visitor.page.reload()
    gate.drop()
    expect(visitor.page.locator("#arrived")).to_have_text("1 of 3 images have arrived.")
    assert visitor.accessibility_problems() == []
    visitor.choose([photographs[4]])
    expect(visitor.page.locator("#wrong-files")).to_contain_text("None of these files")
    visitor.choose([photographs[1]])
    expect(visitor.page.locator("#arrived")).to_have_text("2 of 3 images have arrived.", timeout=20_000)
    visitor.choose(photographs[:3])
    assert f"/job/{visitor.wait_for_job()}" == link
    visitor.wait_until_ready()
    assert {name for name, _ in photographs[:3]} <= set(visitor.download())


def test_interrupted_upload_is_given_up(visitor: Visitor, caller: Caller, photographs: list[File]) -> None:
    """What has arrived of an interrupted upload can be taken as it is, or deleted."""
    for button, state in (("Go on without the missing ones", 200), ("Delete what has arrived", 410)):
        visitor.open()
        gate = Gate()
        visitor.page.route(re.compile(r"/uploads/direct/\w+/2(\?|$)"), gate)
        visitor.choose(photographs[:2])
        visitor.page.locator("#send").click()
        expect(visitor.page.locator("#chosen .tile.done")).to_have_count(1)
        job = str(visitor.see("#job-link").get_attribute("href")).rsplit("/", 1)[1]
        visitor.page.reload()
        gate.drop()
        visitor.page.get_by_role("button", name=button).click()
        if state == 200:
            visitor.wait_until_ready()
            expect(visitor.page.locator("#failures")).to_contain_text(photographs[1][0])
        else:
            expect(visitor.page.locator("#interrupted")).to_be_hidden()
        assert caller.http.get(f"/function/status/{job}").status_code == state


def test_marked_while_others_are_sent(visitor: Visitor, photographs: list[File]) -> None:
    """The first images are marked, and seen on the job's page, before the last is sent."""
    gate = Gate()
    visitor.open()
    visitor.page.route(re.compile(r"/uploads/direct/\w+/3(\?|$)"), gate)
    visitor.choose(photographs[:3])
    visitor.page.locator("#send").click()
    with visitor.page.context.expect_page() as opened:
        visitor.see("#job-link").click(modifiers=["Control"])
    expect(opened.value.locator(".tile.done img")).to_have_count(2, timeout=20_000)
    gate.open()
    expect(opened.value.locator("#download")).to_be_visible(timeout=20_000)
    visitor.wait_for_job()
