"""Where this process is: in a cell, or beside one, and whether there are cells here."""

import os
import sys

_in_cell = False


def enter() -> None:
    """Be the helper or a cell from now on: what is to be decoded is decoded here."""
    global _in_cell
    _in_cell = True


def in_cell() -> bool:
    """Tell whether this process is a cell or their helper."""
    return _in_cell


def has_cells() -> bool:
    """Tell whether this system has what cells are made of."""
    return sys.platform == "linux" and hasattr(os, "memfd_create")
