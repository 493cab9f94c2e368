"""The options of a job: what is done to each of its images and how the result is written.

One model serves JSON, the fields of a form, the parameters of a URL and the page.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SerializeAsAny, ValidationError
from pydantic_core import PydanticCustomError

from .assets import assets
from .formats import FormatChoice
from .metadata.signs import reads
from .task import ImageTask, registry
from .tasks.watermark import Watermark

MAX_TASKS = 10


class InvalidOptions(ValueError):
    """Options that are not understood; `errors` has one {"field", "message"} for each that is wrong."""

    def __init__(self, errors: list[dict[str, str]]) -> None:
        """Take the errors; the exception's text names every field and what it allows."""
        self.errors = errors
        super().__init__(" ".join(f"{error['field']}: {error['message']}" for error in errors))


def _load_task(value: object) -> ImageTask:
    """Return the task that `value`, a task or its JSON object, describes."""
    if isinstance(value, ImageTask):
        return value
    if not isinstance(value, Mapping):
        raise PydanticCustomError("task", "A task is an object such as {{'task': 'watermark'}}.")
    task = registry.get(str(value.get("task", "watermark")))
    if task is None:
        context = {"known": ", ".join(registry), "at": ["task"]}
        raise PydanticCustomError("task", "There is no such task; there are {known}.", context)
    try:
        return task.model_validate(dict(value))
    except ValidationError as error:
        wrong = list(_errors(error, task))
        raise PydanticCustomError("task", "The options of this task are wrong.", {"errors": wrong}) from error


def _known_text(text: str) -> str:
    text = text.strip()
    if "\0" in text or not reads(text, len(text)):
        raise ValueError("It must be a text that people can read.")
    return text


QualityChoice = Literal["keep"] | Annotated[int, Field(ge=1, le=100)]
MetadataChoice = Literal["keep", "no-location", "none"]


#: A line or a few that metadata and not a mark has; control characters would end it early.
RightsText = Annotated[str, Field(max_length=1000), AfterValidator(_known_text)]


class Options(BaseModel):
    """What is done to an image."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True)

    tasks: tuple[Annotated[SerializeAsAny[ImageTask], BeforeValidator(_load_task)], ...] = Field(
        default=(Watermark(),), max_length=MAX_TASKS
    )
    """The tasks, done in this order."""

    format: FormatChoice = "keep"
    """Format of the result; "keep" is that of the source."""

    quality: QualityChoice = "keep"
    """Quality of a lossy format, 1 to 100; "keep" stays as close to the source as the format allows."""

    metadata: MetadataChoice = "no-location"
    """EXIF, XMP and IPTC: "no-location" drops where the picture was taken, "keep" keeps that too, "none" drops all."""

    creator: RightsText = ""
    """Who made the picture: written into the file in place of what it says."""

    copyright: RightsText = ""
    """The copyright notice, written into the file in place of what it says."""

    usage_terms: RightsText = ""
    """How the picture may be used, written into the file in place of what it says."""


OUTPUT = tuple(name for name in Options.model_fields if name != "tasks")
"""The options of how the result is written; all others are a task's."""


def load_options(obj: Mapping[str, Any]) -> Options:
    """Return the options of a JSON object; raise `InvalidOptions`.

    `tasks` holds tasks with their options. Without it there is one, which `task` names (watermark if it is not given),
    and its options stand beside those of the output. `preset` names options that are added to or replaced.
    """
    if not isinstance(obj, Mapping):
        raise InvalidOptions([{"field": "options", "message": "The options are a JSON object."}])
    given = dict(obj)
    if "preset" in given:
        preset = _preset(given.pop("preset"))
        given = {**(_of_output(preset) if "tasks" in given else preset), **given}
    try:
        return Options.model_validate(_nested(given))
    except ValidationError as error:
        wrong = list(_errors(error, Options))
        if "tasks" not in given:
            wrong = [{**each, "field": each["field"].removeprefix("tasks.0.")} for each in wrong]
        raise InvalidOptions(wrong) from error


def parse_options(fields: Mapping[str, str]) -> Options:
    """Return the options of text fields, as a form or a URL has them; raise `InvalidOptions`.

    They are those of `load_options`, with `tasks` as JSON; fields left empty count as not given.
    """
    given: dict[str, Any] = {name: value for name, value in fields.items() if value.strip()}
    if "tasks" in given:
        given["tasks"] = _load_tasks(given["tasks"])
    return load_options(given)


def options_schema() -> dict[str, Any]:
    """Return the JSON Schema of the options, with every registered task and preset."""
    schema = Options.model_json_schema()
    definitions = schema.setdefault("$defs", {})
    definitions.pop("ImageTask", None)
    for name, task in registry.items():
        definition = task.model_json_schema()
        definitions.update(definition.pop("$defs", {}))
        definitions[name] = definition
    schema["properties"]["tasks"]["items"] = {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in registry]}
    schema["properties"]["tasks"]["default"] = [Watermark().model_dump(mode="json")]
    if presets := list(assets().presets):
        description = "Options to start from; what else is given replaces theirs."
        schema["properties"]["preset"] = {"type": "string", "enum": presets, "description": description}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _preset(name: object) -> dict[str, Any]:
    presets = assets().presets
    if not isinstance(name, str) or name not in presets:
        message = f"There is no such preset, only {', '.join(presets)}." if presets else "There are no presets here."
        raise InvalidOptions([{"field": "preset", "message": message}])
    return dict(presets[name])


def _of_output(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name in OUTPUT}


def _nested(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with their tasks; those that have tasks may hold no options of a task beside them."""
    of_task = {name: value for name, value in given.items() if name not in Options.model_fields}
    if "tasks" not in given:
        return {"tasks": [of_task], **_of_output(given)}
    if of_task:
        message = f"Beside `tasks` there are {', '.join(OUTPUT)}; give the options of a task inside `tasks`."
        raise InvalidOptions([{"field": name, "message": message} for name in of_task])
    return dict(given)


def _load_tasks(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        message = f"`tasks` is a JSON list of tasks, and this is not JSON: {error}."
        raise InvalidOptions([{"field": "tasks", "message": message}]) from error


def _errors(error: ValidationError, model: type[BaseModel]) -> Iterator[dict[str, str]]:
    """Yield what is wrong, each with the dotted name of its field."""
    seen = set()
    for each in error.errors(include_url=False):
        context = each.get("ctx", {})
        # The arms of a union ("literal[...]", "constrained-int") are no names of fields.
        path = [str(part) for part in each["loc"] if isinstance(part, int) or part in model.model_fields]
        if each["type"] == "extra_forbidden":
            name = ".".join(str(part) for part in each["loc"]) or "options"
            names = f"{', '.join(model.model_fields)}, and for the result {', '.join(OUTPUT)}"
            found = [{"field": name, "message": f"There is no such option; there are {names}."}]
        elif "errors" in context:
            found = [{**inner, "field": ".".join([*path, inner["field"]])} for inner in context["errors"]]
        else:
            message = each["msg"].removeprefix("Value error, ").partition(", unable to ")[0]
            message = message.replace("a valid boolean", "true or false")
            message = message.replace("Input should be", "It must be").removesuffix(".") + "."
            found = [{"field": ".".join([*path, *context.get("at", ())]) or "options", "message": message}]
        for one in found:
            key = (one["field"], one["message"])
            if key not in seen:
                seen.add(key)
                yield one
