"""The page of a job: its images one by one, what can be done with them, and its end."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import zxingcpp
from PIL import Image
from playwright.sync_api import Route, expect

from tests.client import Caller, File, is_marked, picture
from tests.platform_driver import Platform, wait_until
from tests.system.rows import Rows
from tests.web.visitor import Visitor, broken, crop

LISTEN = """
window.told = [];
Object.defineProperty(document, "hidden", { get: () => Boolean(window.away) });
window.Notification = class extends window.Notification {
    constructor(title, options) {
        super(title, options);
        told.push(title);
    }
};
"""


def test_again_with_other_options(visitor: Visitor, caller: Caller) -> None:
    """Anyone with the link can mark the same images in another way, without having or sending them."""
    plain = picture((400, 300), "#808080", "PNG")
    first = caller.upload([("grey.png", plain), ("other.png", plain)])
    caller.wait(first)
    visitor.open(f"/job/{first}")
    visitor.page.get_by_role("link", name="Same images, other options").click()
    expect(visitor.tiles()).to_have_count(2)
    assert visitor.accessibility_problems() == []
    expect(visitor.page.locator("#preview")).to_have_attribute("alt", "grey.png with the mark")
    visitor.page.get_by_role("button", name="Show the mark on other.png").click()
    expect(visitor.page.locator("#preview")).to_have_attribute("alt", "other.png with the mark")
    visitor.page.get_by_role("button", name="Text in the corner").click()
    second = visitor.send()
    visitor.wait_until_ready()
    assert first != second
    marked = visitor.download()["grey.png"]
    corner, rest = (200, 150, 400, 300), (0, 0, 200, 150)
    assert is_marked(crop(plain, corner), crop(marked, corner))
    assert not is_marked(crop(plain, rest), crop(marked, rest))
    caller.http.delete(f"/job/{first}")
    visitor.page.goto(f"{visitor.url}/?again={first}")
    expect(visitor.page.locator("h1:visible")).to_have_text("These images are gone")


def test_failed_images_again(visitor: Visitor, caller: Caller, photographs: list[File]) -> None:
    """Those that failed, and no others, can be tried again."""
    job = caller.upload([photographs[0], broken(photographs[1])])
    caller.wait(job)
    visitor.open(f"/job/{job}")
    visitor.page.get_by_role("button", name="Try the failed ones again").click()
    visitor.page.wait_for_url(lambda url: "/job/" in url and job not in url)
    expect(visitor.page.locator("#failures li")).to_have_count(1, timeout=60_000)
    expect(visitor.page.locator(".tile .name")).to_have_text([f"broken {photographs[1][0]}"])


def test_one_image_alone(visitor: Visitor, caller: Caller, photographs: list[File]) -> None:
    """Each marked image can be seen large and downloaded by itself."""
    job = caller.upload(photographs[:2])
    caller.wait(job)
    visitor.open(f"/job/{job}")
    visitor.page.get_by_role("link", name=f"Open {photographs[0][0]}").click()
    image = visitor.page.locator("#viewer-image")
    expect(visitor.page.locator("#compare.ready")).to_be_visible()
    slider = visitor.page.get_by_role("slider")
    before = visitor.page.locator("#viewer-before")
    for value, clip in (("0", "inset(0px 100% 0px 0px)"), ("75", "inset(0px 25% 0px 0px)")):
        slider.fill(value)
        expect(before).to_have_css("clip-path", clip)
    slider.press("ArrowRight")
    expect(slider).to_have_value("76")
    visitor.page.get_by_role("button", name="Next").focus()
    expect(image).to_have_attribute("alt", f"{photographs[0][0]} with the mark")
    assert image.evaluate("(element) => element.decode().then(() => element.naturalWidth)") > 100
    assert visitor.accessibility_problems() == []
    visitor.page.keyboard.press("ArrowRight")
    expect(visitor.page.locator("#viewer-name")).to_have_text(photographs[1][0])
    expect(visitor.page.get_by_role("button", name="Next")).to_be_disabled()
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("link", name="Download this image").click()
    assert download.value.suggested_filename == photographs[1][0]
    assert is_marked(photographs[1][1], Path(download.value.path()).read_bytes())
    visitor.page.keyboard.press("Escape")
    expect(visitor.page.locator("#viewer")).to_be_hidden()
    expect(visitor.page.get_by_role("link", name=f"Open {photographs[0][0]}")).to_be_focused()


def test_phone(visitor: Visitor, caller: Caller) -> None:
    """A code on the screen takes the page to the phone."""
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    visitor.open(f"/job/{job}?language=en")
    visitor.page.get_by_role("button", name="On the phone").click()
    code = Image.open(io.BytesIO(visitor.see("#phone-code").screenshot()))
    assert visitor.accessibility_problems() == []
    assert [each.text for each in zxingcpp.read_barcodes(code)] == [f"{visitor.url}/job/{job}"]


def test_address_is_copied(visit: Callable[..., Visitor], caller: Caller) -> None:
    """The address that is copied leads to the job, in the language of whoever opens it."""
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    visitor.open(f"/job/{job}?language=ru")
    visitor.page.get_by_role("button", name="Копировать ссылку").click()
    expect(visitor.page.get_by_role("button", name="Ссылка скопирована")).to_be_visible()
    assert visitor.page.evaluate("navigator.clipboard.readText()") == f"{visitor.url}/job/{job}"


def test_notification(visitor: Visitor) -> None:
    """Who looks elsewhere is told when the images are ready, if that is allowed."""
    files = [{"name": "a.jpg", "size": len(picture())}]
    job = httpx.post(f"{visitor.url}/function/upload", json={"files": files}).json()
    visitor.page.add_init_script(LISTEN)
    visitor.open(job["page"])
    button = visitor.see("#notify")
    visitor.page.context.grant_permissions(["notifications"])  # the answer to the browser's question
    button.click()
    expect(button).to_be_hidden()
    visitor.page.evaluate("window.away = true")
    httpx.put(job["uploads"][0]["url"], content=picture()).raise_for_status()
    visitor.page.locator("#download").wait_for(timeout=60_000)
    assert visitor.page.evaluate("told") == ["Your images are ready – Countermark"]


def test_server_gone_and_back(visitor: Visitor, platform: Platform) -> None:
    """A page that is open while the server is away says so, and goes on when it is back."""
    answer = httpx.post(f"{visitor.url}/function/upload", json={"files": [{"name": "a.jpg", "size": 1000}]})
    job = answer.json()["job"]
    visitor.open(f"/job/{job}")
    platform.stop("status")
    expect(visitor.page.locator("#connection")).to_contain_text("No connection", timeout=20_000)
    platform.start("status")
    expect(visitor.page.locator("#connection")).to_be_empty(timeout=30_000)
    httpx.delete(f"{visitor.url}/job/{job}")
    expect(visitor.page.locator("h1:visible")).to_have_text("These images are gone", timeout=20_000)
    visitor.complaints.clear()  # the browser names each answer that failed


def test_deleted_expired_and_unknown_jobs(visitor: Visitor, caller: Caller) -> None:
    """Who comes too late, or by a wrong address, is told so and led on."""
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    visitor.open(f"/job/{job}")
    visitor.page.get_by_text("Delete now").click()
    visitor.page.get_by_role("button", name="Yes, delete everything").click()
    expect(visitor.page.locator("h1:visible")).to_have_text("These images are gone")
    visitor.open(f"/job/{'0' * 32}")
    expect(visitor.page.locator("h1:visible")).to_have_text("There is no such job")
    visitor.page.get_by_role("link", name="Mark new images").click()
    expect(visitor.page.locator("#choose-files")).to_be_attached()


def test_job_deleted_while_watched(visitor: Visitor, caller: Caller) -> None:
    """The page of a running job notices that the job is gone."""
    answer = caller.http.post("/function/upload", json={"files": [{"name": "a.jpg", "size": 10}], "options": {}})
    visitor.open(f"/job/{answer.json()['job']}")
    expect(visitor.page.locator("#counts")).to_have_text("0 of 1 image finished")
    caller.http.delete(f"/job/{answer.json()['job']}")
    expect(visitor.page.locator("h1:visible")).to_have_text("These images are gone")


def test_expiry_while_watched(visitor: Visitor, caller: Caller, platform: Platform) -> None:
    """The page of a ready job counts down, and says so when the time is over."""
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    rows = Rows(platform.database_url)
    rows.grow_old(job, "expires_at", "59 minutes 40 seconds")
    rows.database.close()
    visitor.open(f"/job/{job}")
    expect(visitor.page.locator("#countdown")).to_have_text(re.compile(r"\(00:[01]\d left\)"))
    expect(visitor.page.locator("h1:visible")).to_have_text("These images are gone", timeout=60_000)


def test_a_tile_that_is_clicked_at_once_opens_the_viewer(
    visitor: Visitor, caller: Caller, photographs: list[File]
) -> None:
    """Also before the page knows its images."""
    job = caller.upload(photographs[:1])
    caller.wait(job)
    held: list[Route] = []
    visitor.page.route("**/function/status/*first=*", lambda route: route.continue_() if held else held.append(route))
    visitor.open(f"/job/{job}")
    visitor.page.get_by_role("link", name=f"Open {photographs[0][0]}").click()
    wait_until(lambda: visitor.page.wait_for_timeout(50) or held)
    held[0].continue_()
    expect(visitor.page.locator("#compare.ready")).to_be_visible()
