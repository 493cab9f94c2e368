"""Where things are in the project."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The folder with stack.yml, functions, web and the rest."""
STACK = ROOT / "stack.yml"
WEB = ROOT / "web"
BINARIES = Path(sys.executable).parent
"""Where the wheels put their programs."""
