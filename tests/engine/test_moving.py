"""Animations look the same, last as long and are played as often in every format, as other readers see them."""

import dataclasses
import struct
from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from countermark import engine
from countermark.engine.metadata.leaks import find_leaks
from PIL import Image, ImageSequence

from tests.engine.animations import SIZE, Part, apng, composed, gif, parts, seen, timeline, webp

FORMS = ["GIF", "WebP", "PNG"]
MADE = {"GIF": gif, "WebP": webp, "PNG": apng}
SEEDS = range(6)
#: How much of a level may be lost where nothing is lost but by rounding.
EXACT = 2.5


def edited(source: bytes, form: str = "keep", **more: object) -> engine.Edited:
    return engine.process(source, engine.load_options({"tasks": [], "format": form, **more}))


def same(stored: list[Part], result: bytes) -> None:
    """Check that a result shows what the parts are put together to."""
    film = seen(result)
    before = timeline(composed(stored), [float(part.duration) for part in stored])
    after = timeline(film.frames, film.durations)
    assert [time for _, time in after] == pytest.approx([time for _, time in before], abs=0.01)
    assert max(np.abs(one - other).max() for (one, _), (other, _) in zip(before, after, strict=True)) < EXACT


def as_gif(stored: list[Part]) -> list[Part]:
    """What a GIF file can say of parts: each is drawn over what is there."""
    return [dataclasses.replace(part, over=True) for part in stored]


def as_webp(stored: list[Part]) -> list[Part]:
    """What a WebP file can say of parts: nothing that was there before comes back."""
    return [dataclasses.replace(part, disposal=part.disposal % 2) for part in stored]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_gif_looks_the_same_in_every_format(seed, form):
    stored = as_gif(parts(seed))
    same(stored, edited(gif(stored, plays=0), form).data)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", SEEDS)
def test_an_animated_png_looks_the_same_in_every_format(seed, form):
    stored = parts(seed, soft=form != "GIF")
    same(stored, edited(apng(stored, plays=0), form).data)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_webp_looks_the_same_in_every_format(seed, form):
    stored = as_webp(parts(seed, soft=form != "GIF"))
    same(stored, edited(webp(stored, plays=0), form).data)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("seed", SEEDS)
def test_an_animated_png_without_transparency_clears_to_nothing_all_the_same(seed, mode):
    stored = [
        dataclasses.replace(part, image=part.image.convert(mode).convert("RGBA")) for part in parts(seed, clear=False)
    ]
    same(stored, edited(apng(stored, plays=0, mode=mode)).data)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("source", FORMS)
def test_outside_of_the_mark_every_frame_is_as_it_was(source, form):
    whole = Part(image=Image.new("RGBA", SIZE, (90, 120, 30, 255)), corner=(0, 0), disposal=0, over=False, duration=50)
    stored = as_webp(as_gif([whole, *parts(3, clear=False)[1:]]))
    stored = [dataclasses.replace(part, disposal=0) for part in stored]
    tasks = [{"task": "watermark", "text": "x", "position": "top", "size": 0.2, "margin": 0, "effect": "none"}]
    film = seen(edited(MADE[source](stored, 0), form, tasks=tasks).data)
    low = SIZE[1] // 2
    assert len(film.frames) == len(stored)
    for before, after in zip(composed(stored), film.frames, strict=True):
        assert np.abs(before[low:] - after[low:]).max() < EXACT
        assert np.abs(before[:low] - after[:low]).max() > 20


@pytest.mark.parametrize("plays", [0, 1, 2, 5, 65_535])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("source", FORMS)
def test_an_animation_is_played_as_often_in_every_format(source, form, plays):
    assert seen(edited(MADE[source](parts(1), plays), form).data).plays == plays


@pytest.mark.parametrize("plays", [0, 1, 3])
def test_an_avif_is_played_as_often_and_as_long_as_its_source(plays):
    stored = [dataclasses.replace(part, duration=10 * (3 + at)) for at, part in enumerate(parts(1))]
    avif = edited(gif(stored, plays), "avif").data
    image = Image.open(BytesIO(avif))
    times = []
    for number in range(image.n_frames):
        image.seek(number)
        image.load()
        times.append(image.info["duration"])
    assert times == [part.duration for part in stored]
    for form in FORMS:
        film = seen(edited(avif, form).data)
        assert (film.plays, sum(film.durations)) == (plays, sum(times))
    # A player that knows nothing of repetitions reads how long all turns take.
    once, whole = sum(times), struct.unpack_from(">Q", avif, avif.index(b"tkhd") + 4 + 28)[0]
    assert whole == (once * plays if plays else 2**64 - 1)


@pytest.mark.parametrize("form", FORMS)
def test_a_default_image_is_no_frame(form):
    stored = [dataclasses.replace(part, duration=100 * (at + 1)) for at, part in enumerate(parts(4))]
    result = edited(apng(stored, 3, default=Image.new("RGBA", SIZE, "red")), form)
    same(stored, result.data)
    assert result.frames == len(stored)
    assert seen(result.data).plays == 3


def test_frames_that_say_nothing_of_their_time_and_end_stay_and_last_as_before():
    stored = [dataclasses.replace(part, disposal=0, duration=0) for part in as_gif(parts(5, clear=False))]
    same(stored, edited(gif(stored, 0, controls=False), "png").data)


@pytest.mark.parametrize("form", FORMS)
def test_frames_that_look_alike_are_counted(form):
    one = parts(6)[0]
    stored = [dataclasses.replace(one, duration=time, disposal=0) for time in (10, 30, 50)]
    result = edited(apng(stored, 0), form)
    film = seen(result.data)
    assert result.frames == len(film.frames)
    assert form == "WebP" or film.durations == [10, 30, 50]  # WebP makes one of them all


@pytest.mark.parametrize("times", [[33, 33, 33, 34], [4, 4, 4, 8], [1001, 999]])
def test_times_that_a_gif_cannot_say_are_made_up_for(times):
    stored = [dataclasses.replace(part, disposal=0, duration=time) for part, time in zip(parts(1), times, strict=False)]
    film = seen(edited(apng(stored, 0), "gif").data)
    assert all(time >= 10 for time in film.durations)
    assert sum(film.durations) == pytest.approx(sum(part.duration for part in stored), abs=10 * len(stored))


def test_a_frame_beyond_the_picture_is_cut_off():
    first = Part(image=Image.new("RGBA", SIZE, "green"), corner=(0, 0), disposal=0, over=True, duration=10)
    beyond = dataclasses.replace(first, image=Image.new("RGBA", (40, 30), (200, 10, 10, 255)), corner=(30, 20))
    result = edited(gif([first, beyond], 0), "webp")
    film = seen(result.data)
    assert (result.width, result.height) == SIZE
    assert [frame.shape for frame in film.frames] == [(SIZE[1], SIZE[0], 4)] * 2
    assert film.frames[1][25, 40][0] == pytest.approx(200, abs=2)
    assert film.frames[1][25, 20][0] < 20


def test_a_webp_keeps_its_background():
    source = webp(parts(2), 0, background=bytes([10, 20, 30, 40]))
    result = edited(source).data
    assert result[result.index(b"ANIM") + 8 :][:4] == bytes([10, 20, 30, 40])


def test_the_time_of_a_png_frame_stays_a_fraction():
    stored = [dataclasses.replace(part, duration=1) for part in parts(1)]
    assert seen(edited(apng(stored, 0, unit=30)).data).durations == pytest.approx([1000 / 30] * len(stored))


@pytest.mark.parametrize("cut", [0.5, 0.9])
def test_an_animation_that_breaks_off_is_not_taken_for_a_picture(cut):
    source = apng(parts(5), 0)
    with pytest.raises(engine.TruncatedImage):
        edited(source[: int(len(source) * cut)])


def pages(*sizes: tuple[int, int], compression: str = "raw") -> bytes:
    buffer = BytesIO()
    made = [Image.new("RGB", size, "navy") for size in sizes]
    made[0].save(buffer, "TIFF", save_all=True, append_images=made[1:], compression=compression)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["GIF", "WebP", "PNG", "AVIF"])
def test_pages_of_several_sizes_are_refused_where_they_cannot_be_held(form):
    with pytest.raises(engine.CannotEncode, match="different sizes"):
        edited(pages((64, 48), (32, 48)), form)
    assert edited(pages((64, 48), (32, 48)), "tiff").frames == 2
    assert edited(pages((64, 48), (64, 48)), form).width == 64


@pytest.mark.parametrize(("form", "most"), [("WebP", 16_383), ("JPEG", 65_500), ("GIF", 65_535), ("AVIF", 65_536)])
def test_a_picture_that_a_format_cannot_hold_is_refused_in_words(form, most):
    buffer = BytesIO()
    Image.new("RGB", (most + 1, 1)).save(buffer, "PNG")
    with pytest.raises(engine.CannotEncode, match=f"at most {most:,} pixels"):
        edited(buffer.getvalue(), form)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "packbits", "jpeg"])
def test_pages_hold_no_head_that_looks_like_another_picture(compression):
    result = edited(pages((64, 48), (64, 48), (40, 40), compression=compression)).data
    assert find_leaks(result) == []
    assert [page.size for page in ImageSequence.Iterator(Image.open(BytesIO(result)))] == [(64, 48), (64, 48), (40, 40)]


def test_a_gif_that_could_be_transparent_and_is_not_stays_small():
    ground = Image.effect_noise((120, 90), 90).convert("RGBA")
    stored = [Part(image=ground, corner=(0, 0), disposal=0, over=True, duration=50)]
    stored += [
        Part(image=Image.new("RGBA", (9, 9), (9 * each, 0, 0)), corner=(each, 9), disposal=0, over=True, duration=50)
        for each in range(12)
    ]
    one, all_of_them = (edited(apng(part, 0, size=ground.size), "gif").data for part in (stored[:1] * 2, stored))
    assert len(all_of_them) < 1.5 * len(one)


@pytest.mark.parametrize("brand", [b"hevc", b"msf1"])
def test_a_heic_file_that_is_only_a_sequence_is_refused_in_words(brand):
    box = b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0" + brand + b"iso8"
    with pytest.raises(engine.UnsupportedFormat, match="sequence"):
        edited(box + b"\0\0\0\x10moov\0\0\0\x08mvhd" + bytes(64))


def test_the_main_picture_of_a_heic_file_with_several_is_marked(photograph):
    ground = Image.open(BytesIO(photograph("brushes"))).convert("RGB").resize((240, 160))
    buffer = BytesIO()
    file = pillow_heif.from_pillow(ground)  # not by Pillow's plugin, which would take the place of the engine's reader
    file.add_from_pillow(ground.rotate(180))
    file.save(buffer)
    result = engine.process(buffer.getvalue(), engine.parse_options({"text": "mark", "position": "center"}))
    assert (result.format, result.frames, result.width) == ("JPEG", 1, 240)
    marked, whole = (np.asarray(Image.open(BytesIO(each))).astype(int) for each in (result.data, _plain(buffer)))
    assert np.abs(marked - whole)[60:100, 80:160].max() > 60


def _plain(buffer: BytesIO) -> bytes:
    return edited(buffer.getvalue()).data
