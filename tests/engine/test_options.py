"""Options from JSON and from flat text, and what is said about wrong ones."""

import json
import re
from pathlib import Path

import pytest
from countermark import engine

GUIDE = Path(__file__).parents[2] / "functions" / "README.md"


def test_without_options_the_picture_gets_the_tiled_logo():
    options = engine.parse_options({})
    (task,) = options.tasks
    assert (task.task, task.text, task.position, task.size, task.opacity) == ("watermark", None, "tile", 0.25, 0.65)
    assert (options.format, options.quality, options.metadata) == ("keep", "keep", "no-location")


def test_flat_fields_are_options_of_the_task_and_of_the_output():
    options = engine.parse_options({"text": "© 2026", "position": "bottom-right", "opacity": "40%", "quality": "80"})
    (task,) = options.tasks
    assert (task.text, task.position, task.opacity, options.quality) == ("© 2026", "bottom-right", 0.4, 80)


def test_another_task_is_named():
    (task,) = engine.parse_options({"task": "resize", "width": "100"}).tasks
    assert (task.task, task.width) == ("resize", 100)


def test_several_tasks_come_as_json():
    options = engine.parse_options(
        {"tasks": '[{"task": "grayscale"}, {"task": "watermark", "text": "x"}]', "format": "jpg"}
    )
    assert [task.task for task in options.tasks] == ["grayscale", "watermark"]
    assert options.format == "JPEG"


def test_empty_fields_of_a_form_count_as_not_given():
    assert engine.parse_options({"text": "", "opacity": " "}) == engine.parse_options({})


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"opacity": "2"}, "opacity", "less than or equal to 1"),
        ({"opacty": "0.5"}, "opacty", "opacity"),
        ({"qualty": "80"}, "qualty", "quality"),
        ({"task": "resize", "width": "9", "enlarge": "maybe"}, "enlarge", "It must be true or false"),
        ({"preset": "none"}, "preset", "no presets"),
        ({"task": "paint"}, "task", "watermark"),
        ({"position": "middle"}, "position", "'bottom-right'"),
        ({"color": "reddish"}, "color", "#ffcc00"),
        ({"text": "{cameras}"}, "text", "{name}"),
        ({"format": "docx"}, "format", "'WebP'"),
        ({"quality": "101"}, "quality", "100"),
        ({"task": "resize"}, "options", "width"),
        ({"tasks": "[{"}, "tasks", "JSON"),
        ({"tasks": "[]", "opacity": "1"}, "opacity", "inside `tasks`"),
        ({"tasks": '[{"task": "watermark", "opacity": 3}]'}, "tasks.0.opacity", "less than or equal to 1"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(fields, field, says):
    with pytest.raises(engine.InvalidOptions) as caught:
        engine.parse_options(fields)
    assert field in {error["field"] for error in caught.value.errors}
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "flat",
    [{}, {"text": "© 2026", "position": "top-left", "format": "webp"}, {"task": "resize", "width": 100}],
)
def test_json_may_be_as_flat_as_a_form(flat):
    fields = {name: str(value) for name, value in flat.items()}
    assert engine.load_options(flat) == engine.parse_options(fields)


@pytest.mark.parametrize("example", re.findall(r"```json\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL))
def test_the_guides_examples_are_understood(example):
    assert engine.load_options(json.loads(example)).format == "WebP"


def test_what_is_wrong_in_flat_json_has_the_name_that_was_given():
    with pytest.raises(engine.InvalidOptions) as caught:
        engine.load_options({"text": "x", "opacity": 3, "qualty": 80})
    assert {error["field"] for error in caught.value.errors} == {"opacity", "qualty"}


def test_options_survive_json():
    options = engine.parse_options({"text": "© 2026", "position": "top", "format": "webp"})
    assert engine.load_options(options.model_dump(mode="json")) == options


def test_options_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        engine.parse_options({}).format = "PNG"


def test_the_schema_lists_every_task_with_its_options():
    schema = engine.options_schema()
    named = {each["$ref"].rsplit("/", 1)[1] for each in schema["properties"]["tasks"]["items"]["oneOf"]}
    assert named == set(engine.registry)
    for name, task in engine.registry.items():
        assert set(schema["$defs"][name]["properties"]) == set(task.model_fields)


@pytest.mark.parametrize("depth", [500, 1000, 5000, 100_000])
def test_what_is_nested_deeply_is_a_wrong_option(depth):
    with pytest.raises(engine.InvalidOptions):
        engine.parse_options({"tasks": "[" * depth + "]" * depth})
    with pytest.raises(engine.InvalidOptions):
        engine.parse_options({"tasks": "[" * depth})
    nested = "a"
    for _ in range(depth):
        nested = [nested]
    for name in ("tasks", "text", "size", "image", "format"):
        with pytest.raises(engine.InvalidOptions):
            engine.load_options({name: nested})
