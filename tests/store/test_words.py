"""Which store it is, only what functions stand on may know."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_function_and_no_page_names_a_store() -> None:
    folders = [ROOT / name for name in ("functions", "web", "templates/pages", "templates/python3-countermark")]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in {".py", ".js", ".html", ".txt"}]
    assert len(files) > 50
    named = [path for path in files if re.search(r"minio|seaweed|rustfs|\bweed\b", path.read_text(), re.IGNORECASE)]
    assert named == []
