"""Break functions in one place each, and look whether a test notices: ``make test-mutants``, or ``SHARE=20`` of it.

``SHARE`` is a part (0.2) or a number (20) of the mutants of each module, the same ones each time; all without it, which
takes hours. What was killed is not tried again until its module has changed, or ``make clean``; what lives is. Why a
mutant may live is said in living.py, and everything is written to report.md.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from infra.project import ROOT
from tests.conftest import POSTGRES
from tests.mutants.report import write_report
from tests.own_postgres import running_postgres

FOLDER = ROOT / "build" / "mutants"
COPY = FOLDER / "project"
COPIED = ("functions", "infra", "tests", "templates", "web", "docs", "pyproject.toml", "stack.yml")
LEFT = shutil.ignore_patterns("__pycache__", "native", "mutants", "cluster", "chaos", "hosts")
SETTINGS = """\
[mutmut]
process_isolation = forkserver
source_paths =
    src
    functions
    infra
only_mutate =
    src/countermark/jobs/*.py
    infra/connector/*.py
    functions/*/*.py
also_copy =
    templates
    web
    docs
    stack.yml
pytest_add_cli_args =
    -p
    no:cacheprovider
    -p
    pytest_timeout
    -p
    xdist.plugin
pytest_add_cli_args_test_selection =
    tests/jobs
    tests/connector
    tests/functions
    tests/countermark
    --ignore=tests/jobs/test_interruptions.py
    --ignore=tests/jobs/test_state_machine.py
    --deselect=tests/jobs/test_naming.py::test_all_names_can_be_unpacked_anywhere
    --deselect=tests/jobs/test_naming.py::test_ten_thousand_names_take_a_moment
    --ignore=tests/connector/test_delivery.py
    --ignore=tests/connector/test_upkeep.py
    --ignore=tests/functions/test_requirements.py
    --ignore=tests/functions/test_template.py
"""
"""With the first four that are left out a living mutant would cost minutes; the others start programs of their own,
which are not broken."""


def copy_project() -> None:
    """Copy the project as mutmut wants it: a module is named as its path, from the root or from ``src``."""
    shutil.rmtree(COPY, ignore_errors=True)
    COPY.mkdir(parents=True)
    for name in COPIED:
        source, target = ROOT / name, COPY / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=LEFT)
        else:
            shutil.copy2(source, target)
    (COPY / "src").mkdir()
    (COPY / "functions" / "countermark").rename(COPY / "src" / "countermark")
    (COPY / "setup.cfg").write_text(SETTINGS)


def main() -> None:
    """Copy, try, report."""
    share = os.environ.get("SHARE", "1")
    copy_project()
    results = FOLDER / "results.json"
    with running_postgres() as url:
        environ = {"PATH": os.environ["PATH"], "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", POSTGRES: url}
        command = [sys.executable, "-P", Path(__file__).with_name("trying.py"), share, results]
        subprocess.run(command, cwd=COPY, env=environ, check=True)
    print(write_report(results, share))


if __name__ == "__main__":
    main()
