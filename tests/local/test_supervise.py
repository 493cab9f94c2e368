"""What is told to the supervisor arrives as it was."""

import configparser
from pathlib import Path

import pytest
from supervisor.datatypes import dict_of_key_value_pairs

from infra.errors import PlatformError
from infra.local.supervise import _common, _configuration, command_line, environment
from tests.local.planned import machine, processes


@pytest.mark.parametrize("value", ["plain", "50%", "two words", "a,b=c", 'a "quote" in it', "it's", "", "%(here)s"])
def test_an_environment_arrives_as_it_was(value: str) -> None:
    text = environment({"FIRST": value, "SECOND": "2"})
    assert dict_of_key_value_pairs(text.replace("%%", "%")) == {"FIRST": value, "SECOND": "2"}


@pytest.mark.parametrize("value", ["both \" and ' in it", '"whole"', "two\nlines"])
def test_an_environment_that_cannot_be_passed_on_is_refused(value: str) -> None:
    with pytest.raises(PlatformError, match="passed on"):
        environment({"NAME": value})


def test_a_command_keeps_its_words() -> None:
    assert command_line(["/a path/program", "--at=100%"]) == "'/a path/program' --at=100%%"


def test_what_all_inherit_may_be_anything_and_the_rest_is_told_to_each(tmp_path: Path) -> None:
    odd = "both \" and ' in it, and\ntwo lines"
    given = machine(tmp_path, environ={"ODD": odd})
    planned = list(processes(given).values())
    told = configparser.ConfigParser(interpolation=None)
    told.read_string(_configuration(given.folder, planned))
    common = _common(planned)
    assert common["ODD"] == odd
    for process in planned:
        own = told[f"program:{process.name}"].get("environment", "").replace("%%", "%")
        assert common | dict_of_key_value_pairs(own) == process.environment
