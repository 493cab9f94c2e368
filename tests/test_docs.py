"""The documentation says what there is."""

import re
from pathlib import Path

import pytest
import yaml
from countermark.http import problems
from countermark.settings import Settings

from infra.connector.settings import ConnectorSettings

ROOT = Path(__file__).parents[1]
DOCUMENTS = [path for path in ROOT.rglob("*.md") if not {".venv", "build", "node_modules"} & set(path.parts)]


@pytest.mark.parametrize("kind", [Settings, ConnectorSettings])
def test_every_setting_is_documented_with_its_default(kind: type[Settings | ConnectorSettings]) -> None:
    text = (ROOT / "infra" / "README.md").read_text()
    for name, field in kind.model_fields.items():
        assert f"`{name.upper()}`" in text
        if isinstance(field.default, int | float):
            line = next(line for line in text.splitlines() if line.startswith(f"| `{name.upper()}`"))
            assert f"`{field.default:g}`" in line or f"`{field.default}`" in line, line


def test_every_problem_is_documented() -> None:
    text = (ROOT / "functions" / "README.md").read_text()
    kinds = [value for value in vars(problems).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(kinds) > 5
    for kind in kinds:
        assert f"`{kind.code}`" in text  # type: ignore[attr-defined]


def test_every_function_has_its_folder_and_is_documented() -> None:
    text = (ROOT / "functions" / "README.md").read_text()
    functions = yaml.safe_load((ROOT / "stack.yml").read_text())["functions"]
    for name in functions:
        assert (ROOT / "functions" / name / "handler.py").is_file()
        assert (ROOT / "functions" / name / "requirements.txt").is_file()
        assert re.search(rf"^\| {name} \|", text, re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        assert link.startswith(("http:", "https:")) or (document.parent / link).exists(), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_command_writes_an_error_where_a_file_should_be(document: Path) -> None:
    for command in re.findall(r"^\s*curl .*", document.read_text(), re.MULTILINE):
        if re.search(r" -o | -\w*O", command):
            assert re.search(r" -\w*f\w* ", command), command
