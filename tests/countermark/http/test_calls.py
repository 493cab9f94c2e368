"""What functions read from a request."""

import pytest
from countermark.http.calls import json_object
from countermark.http.problems import Problem


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"3", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(Problem, match="JSON"):
        json_object(body)
