"""What the command line says to whoever gets it wrong."""

from pathlib import Path

import pytest

from infra.local.cli import main


def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str]:
    """The exit code, and what was said."""
    monkeypatch.setattr("sys.argv", ["python -m infra.local", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert isinstance(end.value.code, int)
    return end.value.code, " ".join("".join(capsys.readouterr()).split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["up", "--port", "0"], "'0' is no port: give a number from 1 to 65535, here or as PORT"),
        (["up", "--port", "²"], "'²' is no port"),
        (["up", "--port", "9" * 99], "is no port"),
        (["doctor", "--store", "MinIO"], "'MinIO' is no store: give seaweedfs or minio, here or as STORE"),
        (["up", "--data", ""], "the name of the folder is empty"),
        (["status", "--data", __file__], "is a file, not a folder"),
        (["demo", "--target", "/nowhere/x.zip"], "there is no folder /nowhere, or nothing can be written there"),
        (["demo", "--target", str(Path(__file__).parent)], "is a folder, not a file"),
        ([], "up|demo|status|doctor"),
        (["up", "--nope"], "unrecognized arguments: --nope"),
    ],
)
def test_what_is_wrong_is_named_before_anything_starts(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text = say(capsys, monkeypatch, *words)
    assert code == 2
    assert said in text


def test_a_wrong_variable_is_named_as_an_option_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "abc")
    assert "'abc' is no port: give a number from 1 to 65535, here or as PORT" in say(capsys, monkeypatch, "up")[1]


def test_help_tells_defaults_and_variables(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERMARK_DATA", "50% of it")
    code, text = say(capsys, monkeypatch, "up", "--help")
    assert code == 0
    assert "(default: 8080; environment: PORT)" in text
    assert "environment: COUNTERMARK_DATA)" in text
