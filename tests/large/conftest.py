"""What tests of large jobs need."""

from collections.abc import Callable

import pytest

Tell = Callable[[str, object], None]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Prints a figure among the results."""

    def told(name: str, figure: object) -> None:
        with capsys.disabled():
            print(f"\n  {name}: {figure}", flush=True)

    return told
