"""What an image is built from is complete: its own requirements, and the function served from that folder alone."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import yaml
from PIL import Image
from uv import find_uv_bin

from infra.errors import BuildError
from infra.images.contexts import RECIPES, build_arguments, lay_out_function, lay_out_recipe
from infra.stack import Function, read_stack
from tests.openfaas.programs import program_or_skip
from tests.served import serve

ROOT = Path(__file__).parents[2]
STACK = read_stack(ROOT / "stack.yml", {})
PHOTOGRAPH = ROOT / "tests" / "photographs" / "dogs.jpg"
SECRETS = {
    "nats-url": "nats://127.0.0.1:1",
    "database-url": "postgresql://nobody@127.0.0.1:1/nothing",
    "s3-access-key": "key",
    "s3-secret-key": "secret",
}
"""As the files of a function's secret are named on a cluster."""
MIRROR = """
provider: {name: openfaas}
configuration: {copy: [./functions/countermark]}
functions:
  mirror: {lang: python3-countermark, handler: ./mirror, image: mirror}
"""


def tells_limits(url: str) -> None:
    """upload says how much it takes."""
    assert httpx.get(url).json()["limits"]["files"] > 0


def edits(url: str) -> None:
    """An image is the answer to an image."""
    answer = httpx.post(url, content=PHOTOGRAPH.read_bytes(), timeout=30)
    assert answer.status_code == 200
    with Image.open(io.BytesIO(answer.content)) as marked:
        assert marked.format == "JPEG"


def shows_a_page(url: str) -> None:
    """status has its pages and texts."""
    answer = httpx.get(f"{url}/nothing", headers={"Accept": "text/html", "Accept-Language": "ru"})
    assert answer.status_code == 404
    assert '<html lang="ru"' in answer.text


def takes_messages_alone(url: str) -> None:
    """Nobody calls it."""
    assert httpx.get(url).json()["code"] == "wrong_method"


CALLS: dict[str, Callable[[str], None]] = {
    "upload": tells_limits,
    "watermark": edits,
    "drop": takes_messages_alone,
    "preview": edits,
    "archive": takes_messages_alone,
    "expire": takes_messages_alone,
    "status": shows_a_page,
    "reconcile": takes_messages_alone,
}


class Pythons:
    """Clean Pythons, each with what some requirements name and nothing else, from wheels alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, Path] = {}

    def for_context(self, context: Path) -> Path:
        """The Python that has what a context requires; contexts that require the same share it."""
        files = [context / "requirements.txt", context / "function" / "requirements.txt"]
        wanted = "".join(file.read_text() for file in files)
        if wanted not in self._made:
            self._made[wanted] = self._install(files, self._folder / str(len(self._made)))
        return self._made[wanted]

    def _install(self, files: list[Path], target: Path) -> Path:
        python, uv = target / "bin" / "python", find_uv_bin()
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(target)], check=True)
        install = [uv, "pip", "install", "--quiet", "--system-certs", "--python", str(python), "--only-binary", ":all:"]
        subprocess.run([*install, *(word for file in files for word in ("-r", str(file)))], check=True)
        return python


@pytest.fixture(scope="module")
def pythons(tmp_path_factory: pytest.TempPathFactory) -> Pythons:
    """What was installed for one context serves the others that require the same."""
    return Pythons(tmp_path_factory.mktemp("pythons"))


def serve_alone(context: Path, pythons: Pythons, call: Callable[[str], None]) -> None:
    """Install, serve, call; the servers that the settings name are not there, and are not asked for anything."""
    secrets = context.parent / "secrets"
    secrets.mkdir()
    for name, value in SECRETS.items():
        (secrets / name).write_text(value)
    environment = {"SECRETS_DIR": str(secrets), "S3_ENDPOINT": "http://127.0.0.1:1"}
    with serve(context / "function", template=context, python=pythons.for_context(context), **environment) as function:
        call(function.url)


@pytest.mark.parametrize("name", STACK.functions)
def test_a_function_is_served_from_its_context_alone(tmp_path: Path, pythons: Pythons, name: str) -> None:
    context = lay_out_function(ROOT, STACK, name, tmp_path)
    assert not list(context.rglob("__pycache__")) + list(context.rglob("*.so"))
    serve_alone(context, pythons, CALLS[name])


def project(folder: Path) -> Path:
    """A project of somebody else's, with our template and library and a handler of its own."""
    (folder / "functions").mkdir()
    (folder / "template").symlink_to(ROOT / "templates")
    (folder / "functions" / "countermark").symlink_to(ROOT / "functions" / "countermark")
    (folder / "stack.yml").write_text(MIRROR)
    return folder


def test_the_starter_is_served_from_its_context_alone(tmp_path: Path, pythons: Pythons) -> None:
    root = project(tmp_path)
    subprocess.run(["cp", "-r", root / "template" / "python3-countermark" / "function", root / "mirror"], check=True)
    context = lay_out_function(root, read_stack(root / "stack.yml", {}), "mirror", root / "build")
    serve_alone(context, pythons, edits)


def test_what_a_checkout_has_beside_its_source_stays_out(tmp_path: Path) -> None:
    root = project(tmp_path)
    for name in ("handler.py", "__pycache__/handler.pyc", "own/__pycache__/task.pyc", "kernel.so"):
        (root / "mirror" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "mirror" / name).touch()
    context = lay_out_function(root, read_stack(root / "stack.yml", {}), "mirror", root / "build")
    assert (context / "function" / "own").is_dir()
    assert [path for path in context.rglob("*") if path.name == "__pycache__" or path.suffix in {".pyc", ".so"}] == []


def test_faas_cli_makes_the_same_of_the_template(tmp_path: Path) -> None:
    root, faas_cli = project(tmp_path), program_or_skip("faas-cli")
    new = [faas_cli, "new", "--lang", "python3-countermark", "mirror", "--append", "stack.yml"]
    (root / "stack.yml").write_text(
        MIRROR.replace("  mirror: {lang: python3-countermark, handler: ./mirror, ", "  x: {")
    )
    told = subprocess.run(new, cwd=root, check=True, capture_output=True, text=True).stdout
    assert "image: ${REGISTRY:-countermark}/<name>:${TAG:-latest}" in told
    assert 'annotations: {countermark/public: "true"}' in told
    starter = root / "template" / "python3-countermark" / "function"
    assert files(root / "mirror") == files(starter)
    assert yaml.safe_load((root / "stack.yml").read_text())["functions"]["mirror"]["lang"] == "python3-countermark"


@pytest.mark.parametrize("name", STACK.functions)
def test_a_context_is_what_faas_cli_makes(tmp_path: Path, name: str) -> None:
    faas_cli = program_or_skip("faas-cli")
    for path in ("template", "functions", "templates", "web", "stack.yml"):
        (tmp_path / path).symlink_to(ROOT / path)
    subprocess.run([faas_cli, "build", "--shrinkwrap", "--filter", name], cwd=tmp_path, check=True)
    ours = lay_out_function(ROOT, STACK, name, tmp_path / "ours")
    assert files(tmp_path / "build" / name) == files(ours)


def files(folder: Path) -> dict[str, bytes]:
    """Every file that an image is built from, by its path."""
    left_out = {"__pycache__", ".so"}
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not left_out & {path.suffix, path.parent.name}
    }


@pytest.mark.parametrize("name", RECIPES)
def test_the_context_of_another_image_has_what_its_dockerfile_copies(tmp_path: Path, name: str) -> None:
    context = lay_out_recipe(ROOT, name, tmp_path)
    copied = [line.split()[1] for line in (context / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")]
    assert copied
    assert all((context / path).exists() for path in copied if not path.startswith("--from"))


def test_a_context_is_laid_out_afresh(tmp_path: Path) -> None:
    left = lay_out_function(ROOT, STACK, "expire", tmp_path) / "function" / "left.py"
    left.touch()
    lay_out_function(ROOT, STACK, "expire", tmp_path)
    assert not left.exists()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    root = project(tmp_path)
    with pytest.raises(BuildError, match=r"no folder mirror"):
        lay_out_function(root, read_stack(root / "stack.yml", {}), "mirror", root / "build")


def test_build_options_become_debian_packages() -> None:
    function = Function(lang="python3-countermark", handler=Path("mirror"), image="mirror", build_options=["exiftool"])
    assert build_arguments(ROOT, function) == {"ADDITIONAL_PACKAGE": "libimage-exiftool-perl"}
    wrong = function.model_copy(update={"build_options": ["unknown"]})
    with pytest.raises(BuildError, match="no build option 'unknown'; it has exiftool"):
        build_arguments(ROOT, wrong)
