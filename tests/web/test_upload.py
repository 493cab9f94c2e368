"""The way of images through the pages, in a real browser and through the real platform."""

import base64
import io
import re
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import zxingcpp
from PIL import Image, ImageChops
from playwright.sync_api import Route, expect

from tests.client import Caller, File, is_marked, picture
from tests.web.conftest import PHONE
from tests.web.visitor import Gate, Visitor, payload

TRANSFER = """(element, [event, name, data]) => {
    const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name));
    const Kind = event === "drop" ? DragEvent : ClipboardEvent;
    const carried = { dataTransfer: transfer, clipboardData: transfer };
    element.dispatchEvent(new Kind(event, { bubbles: true, cancelable: true, ...carried }));
}"""


LOADED = """(images) => Promise.all(images.map(async (image) => {
    image.loading = "eager";
    await image.decode();
    return Math.max(image.naturalWidth, image.naturalHeight);
}))"""


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


def broken(photograph: File) -> File:
    """A photograph of which only the beginning is there."""
    return f"broken {photograph[0]}", photograph[1][:300]


def test_images_go_in_and_a_zip_comes_out(visitor: Visitor, photographs: list[File]) -> None:
    """Choose, send, wait, download: every image is in the ZIP and is marked."""
    visitor.open()
    visitor.choose(photographs)
    expect(visitor.tiles()).to_have_count(len(photographs))
    expect(visitor.page.locator("#chosen canvas")).to_have_count(len(photographs))
    expect(visitor.page.locator("#summary")).to_contain_text(f"{len(photographs)} images")
    visitor.send()
    visitor.wait_until_ready()
    expect(visitor.page.locator("h1:visible")).to_have_text("Your images are ready")
    expect(visitor.page).to_have_title(re.compile("ready"))
    expect(visitor.tiles().locator("img")).to_have_count(len(photographs))
    assert visitor.tiles().locator("img").evaluate_all(LOADED) == [320] * len(photographs)
    files = visitor.download()
    for name, data in photographs:
        assert is_marked(data, files[name]), name


def test_options_are_kept(visitor: Visitor) -> None:
    """The options of the form reach the images, and the next visit begins with them."""
    visitor.open()
    plain = picture((400, 300), "#808080")
    visitor.choose([("grey.jpg", plain)])
    visitor.page.get_by_role("button", name="Text in the corner").click()
    visitor.page.get_by_label("Your text").fill("MARK")
    visitor.page.locator("[name=position][value=top-left]").check(force=True)
    visitor.page.get_by_text("File format and quality").click()
    visitor.page.get_by_label("Format").select_option("PNG")
    visitor.send()
    visitor.wait_until_ready()
    data = visitor.download()["grey.png"]
    assert data.startswith(b"\x89PNG")
    corner, rest = (0, 0, 200, 150), (200, 150, 400, 300)
    assert is_marked(crop(plain, corner), crop(data, corner))
    assert not is_marked(crop(plain, rest), crop(data, rest))
    visitor.open()
    expect(visitor.page.get_by_label("Your text")).to_have_value("MARK")
    expect(visitor.page.locator("[name=position][value=top-left]")).to_be_checked()
    visitor.page.get_by_role("button", name="Back to the defaults").click()
    expect(visitor.page.locator("[name=position][value=tile]")).to_be_checked()
    expect(visitor.page.get_by_label("Your text")).to_be_hidden()


def crop(data: bytes, box: tuple[int, int, int, int]) -> bytes:
    """A part of an image, as PNG."""
    out = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").crop(box).save(out, "PNG")
    return out.getvalue()


def test_bad_image_among_good(visitor: Visitor, photographs: list[File]) -> None:
    """A damaged image fails alone, with its reason on the page."""
    visitor.open()
    visitor.choose([photographs[0], broken(photographs[1]), photographs[2]])
    visitor.send()
    visitor.wait_until_ready()
    expect(visitor.page.locator("h1:visible")).to_have_text("Ready, except for 1 image")
    expect(visitor.page.locator("#failures")).to_contain_text(f"broken {photographs[1][0]}")
    expect(visitor.page.locator(".tile.failed")).to_have_count(1)
    assert {photographs[0][0], photographs[2][0]} <= set(visitor.download())


def test_all_images_bad(visitor: Visitor, photographs: list[File]) -> None:
    """A job without a single marked image says so."""
    visitor.open()
    visitor.choose([broken(photograph) for photograph in photographs[:2]])
    visitor.send()
    expect(visitor.page.locator("h1:visible")).to_have_text("None of the images could be marked", timeout=60_000)
    expect(visitor.page.locator("#failures li")).to_have_count(2)


def test_what_is_refused_is_said_at_once(visitor: Visitor, photographs: list[File]) -> None:
    """Files that the server would refuse are not even sent; leftovers of a system are passed over silently."""
    visitor.open()
    visitor.choose([photographs[0], ("text.jpg", b"hello"), ("none.png", b""), (".DS_Store", b"x"), photographs[0]])
    expect(visitor.tiles()).to_have_count(2)  # the same photograph twice: the browser gives each its own time
    refused = visitor.page.locator("#rejected li")
    expect(refused).to_have_text(["text.jpg: not an image", "none.png: empty file"])


def test_folder_names_are_kept(visitor: Visitor, photographs: list[File], tmp_path: Path) -> None:
    """A chosen folder comes back with its folders."""
    (tmp_path / "wedding/day 1").mkdir(parents=True)
    (tmp_path / "wedding/день 2").mkdir()
    (tmp_path / "wedding/day 1/a.jpg").write_bytes(photographs[0][1])
    (tmp_path / "wedding/день 2/a.jpg").write_bytes(photographs[1][1])
    visitor.open()
    visitor.choose_folder(tmp_path / "wedding")
    expect(visitor.tiles()).to_have_count(2)
    visitor.send()
    visitor.wait_until_ready()
    assert {"wedding/day 1/a.jpg", "wedding/день 2/a.jpg"} <= set(visitor.download())


def test_zip(visitor: Visitor, photographs: list[File]) -> None:
    """A ZIP is unpacked by the server, beside other images."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inside/a.jpg", photographs[0][1])
    visitor.open()
    visitor.choose([("many.zip", packed.getvalue()), photographs[1]])
    visitor.send()
    visitor.wait_until_ready()
    files = visitor.download()
    assert photographs[1][0] in files
    assert any(name.endswith("inside/a.jpg") for name in files)


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_drop_and_paste(visitor: Visitor, photographs: list[File], event: str) -> None:
    """Images dropped or pasted anywhere on the page are added."""
    visitor.open()
    visitor.page.locator(".intro").evaluate(
        TRANSFER,
        [event, photographs[0][0], base64.b64encode(photographs[0][1]).decode()],
    )
    expect(visitor.tiles()).to_have_count(1)


def test_remove(visitor: Visitor, photographs: list[File]) -> None:
    """A removed image is not sent, and the keyboard stays where it was."""
    visitor.open()
    visitor.choose(photographs[:3])
    visitor.page.get_by_role("button", name=f"Remove {photographs[1][0]}").press("Enter")
    expect(visitor.tiles()).to_have_count(2)
    expect(visitor.page.get_by_role("button", name=f"Remove {photographs[2][0]}")).to_be_focused()
    visitor.page.get_by_role("button", name="Remove all").click()
    expect(visitor.tiles()).to_have_count(0)
    visitor.page.locator("#send").click()
    expect(visitor.page.get_by_role("alert")).to_have_text("Choose at least one image first.")


def test_preview_is_what_comes(visitor: Visitor, photographs: list[File]) -> None:
    """The preview shows the visitor's image with the mark, and changes with the options."""
    visitor.open()
    image = visitor.page.locator("#preview")
    visitor.choose(photographs[:2])
    expect(image).to_have_attribute("alt", f"{photographs[0][0]} with the mark")
    before = image.get_attribute("src")
    visitor.page.get_by_role("button", name="Text in the corner").click()
    expect(image).not_to_have_attribute("src", str(before))
    visitor.page.get_by_role("button", name=f"Show the mark on {photographs[1][0]}").click()
    expect(image).to_have_attribute("alt", f"{photographs[1][0]} with the mark")
    assert image.evaluate("(element) => element.decode().then(() => element.naturalWidth)") > 100


def test_own_logo(visitor: Visitor) -> None:
    """The visitor's logo is the mark, in the preview and in the result, and is there the next time."""
    logo = io.BytesIO()
    Image.new("RGBA", (900, 900), "#ff0000").save(logo, "PNG")
    plain = picture((400, 300), "#808080", "PNG")
    visitor.open()
    visitor.page.locator("[name=kind][value=image]").check(force=True)
    visitor.page.set_input_files("#choose-logo", payload([("text.png", b"no logo")]))
    expect(visitor.page.locator("#wrong-logo")).to_have_text("This file cannot be used as a logo.")
    visitor.page.set_input_files("#choose-logo", payload([("logo.png", logo.getvalue())]))
    expect(visitor.page.locator("#wrong-logo")).to_be_empty()
    visitor.page.get_by_role("button", name="Logo in the corner").click()
    visitor.choose([("grey.png", plain)])
    expect(visitor.page.locator("#preview")).to_have_attribute("alt", "grey.png with the mark")
    visitor.send()
    visitor.wait_until_ready()
    marked = Image.open(io.BytesIO(visitor.download()["grey.png"])).convert("RGB")
    red, green, _ = marked.split()
    assert ImageChops.subtract(red, green).point(lambda value: value > 80 and 255).getbbox()
    visitor.open()
    expect(visitor.page.locator("[name=kind][value=image]")).to_be_checked()
    expect(visitor.page.locator("#logo")).to_be_visible()


def test_keyboard_alone(visitor: Visitor, photographs: list[File]) -> None:
    """Everything from choosing to downloading goes without a mouse."""
    visitor.open()
    with visitor.page.expect_file_chooser() as chooser:
        press_tab_until(visitor, "#choose-files")
        visitor.page.keyboard.press("Enter")
    chooser.value.set_files(payload(photographs[:2]))
    press_tab_until(visitor, "#send")
    visitor.page.keyboard.press("Enter")
    visitor.wait_for_job()
    visitor.wait_until_ready()
    press_tab_until(visitor, "#download")
    with visitor.page.expect_download():
        visitor.page.keyboard.press("Enter")


def press_tab_until(visitor: Visitor, selector: str) -> None:
    """Go to an element by the keyboard."""
    for _ in range(60):
        visitor.page.keyboard.press("Tab")
        if visitor.page.locator(f"{selector}:focus").count():
            return
    raise AssertionError(f"{selector} is not reached by the keyboard")


def test_without_scripts(visit: Callable[..., Visitor], photographs: list[File]) -> None:
    """A plain form, a page that refreshes, and a link."""
    visitor = visit(java_script_enabled=False)
    visitor.page.goto(f"{visitor.url}/")
    visitor.choose([*photographs[:2], broken(photographs[2])])
    visitor.page.get_by_label("Your text").fill("© 2026")
    visitor.page.locator("#send").click()
    visitor.wait_for_job()
    visitor.wait_until_ready()
    expect(visitor.page.locator("#failures")).to_contain_text(f"broken {photographs[2][0]}")
    expect(visitor.page.get_by_role("link", name=f"Open {photographs[0][0]}")).to_be_attached()
    files = visitor.download()
    assert is_marked(photographs[0][1], files[photographs[0][0]])
    visitor.page.get_by_text("Delete now").click()
    visitor.page.get_by_role("button", name="Yes, delete everything").click()
    expect(visitor.page.locator("h1:visible")).to_have_text("These images are gone")


def test_russian(visit: Callable[..., Visitor], photographs: list[File]) -> None:
    """A Russian browser gets Russian pages; the language can be changed and stays changed."""
    visitor = visit(locale="ru-RU", viewport=PHONE)
    visitor.open()
    expect(visitor.page.locator("h1:visible")).to_have_text("Ваш знак сразу на всех снимках.")
    visitor.choose(photographs[:3])
    expect(visitor.page.locator("#send")).to_have_text("Нанести знак на 3 изображения")
    visitor.send()
    visitor.wait_until_ready()
    expect(visitor.page.locator("h1:visible")).to_have_text("Ваши изображения готовы")
    visitor.page.get_by_role("link", name="English").click()
    expect(visitor.page.locator("h1:visible")).to_have_text("Your images are ready")
    visitor.open()
    expect(visitor.page.locator("h1:visible")).to_have_text("Your mark on every image, at once.")


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


def test_server_gone_and_back(visitor: Visitor, platform: Any) -> None:
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
    visitor.page.get_by_role("link", name="Try the failed ones again").click()
    expect(visitor.page.locator(".tile .name")).to_have_text([f"broken {photographs[1][0]}"])
    expect(visitor.page.locator("#send")).to_have_text("Mark 1 image")
    assert visitor.send() != job
    expect(visitor.page.locator("#failures li")).to_have_count(1, timeout=60_000)


def test_phone(visitor: Visitor, caller: Caller) -> None:
    """A code on the screen takes the page to the phone."""
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    visitor.open(f"/job/{job}?language=en")
    visitor.page.get_by_role("button", name="On the phone").click()
    code = Image.open(io.BytesIO(visitor.see("#phone-code").screenshot()))
    assert visitor.accessibility_problems() == []
    assert [each.text for each in zxingcpp.read_barcodes(code)] == [f"{visitor.url}/job/{job}"]


@pytest.mark.parametrize(("across", "down", "position"), [(0.1, 0.1, "top-left"), (0.9, 0.5, "right")])
def test_drag(visitor: Visitor, across: float, down: float, position: str) -> None:
    """The mark is dragged to its place on the preview."""
    visitor.open()
    box = visitor.see("#preview[src]").bounding_box()
    assert box is not None
    mouse = visitor.page.mouse
    with visitor.page.expect_response("**/drag.js"):
        mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down, steps=4)
    expect(visitor.page.locator(f"[name=position][value={position}]")).to_be_checked()
    mouse.up()
    expect(visitor.page.locator(f"[name=position][value={position}]")).to_be_checked()


def test_tap(visit: Callable[..., Visitor]) -> None:
    """By finger the mark goes where the preview is tapped."""
    visitor = visit(viewport=PHONE, is_mobile=True, has_touch=True)
    with visitor.page.expect_response("**/drag.js"):
        visitor.open()
    preview = visitor.see("#preview[src]")
    preview.scroll_into_view_if_needed()
    preview.tap(position={"x": 20, "y": 20})
    expect(visitor.page.locator("[name=position][value=top-left]")).to_be_checked()


def test_presets_of_the_server(visit: Callable[..., Visitor], make_platform: Any, tmp_path: Path) -> None:
    """The administrator's presets stand first, show in the preview and reach the images."""
    (tmp_path / "presets.toml").write_text('[house_style]\ntext = "HOUSE"\nposition = "top-left"\nformat = "TIFF"\n')
    with make_platform(COUNTERMARK_ASSETS=str(tmp_path)) as platform:
        visitor = visit()
        visitor.url = platform.url
        visitor.open()
        visitor.choose([("grey.jpg", picture((400, 300), "#808080"))])
        expect(visitor.page.locator(".presets button").first).to_have_text("house style")
        visitor.page.get_by_role("button", name="house style").click()
        expect(visitor.page.get_by_text("Over the whole image")).to_be_hidden()
        expect(visitor.page.locator("#preview")).to_have_attribute("alt", "grey.jpg with the mark")
        assert visitor.accessibility_problems() == []
        visitor.send()
        visitor.wait_until_ready()
        assert "grey.tif" in visitor.download()


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


def test_expiry_while_watched(visit: Callable[..., Visitor], make_platform: Any) -> None:
    """The page of a ready job counts down, and says so when the time is over."""
    with make_platform(JOB_LIFETIME="5") as platform, closing(Caller(platform.url).http) as http:
        job = http.post("/function/upload", files=[("files", ("a.jpg", picture()))]).json()["job"]
        visitor = visit()
        visitor.url = platform.url
        visitor.open(f"/job/{job}")
        visitor.wait_until_ready()
        expect(visitor.page.locator("#countdown")).to_have_text(re.compile(r"\(00:0\d left\)"))
        expect(visitor.page.locator("h1:visible")).to_have_text("These images are gone", timeout=20_000)


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
