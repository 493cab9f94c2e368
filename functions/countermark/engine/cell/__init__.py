"""The engine for strangers' files: whatever is decoded is decoded in a cell, a process that can be killed.

    process, preview      as those of the engine, with the same bytes as the answer
    look                  whether an image can be a mark

A cell has no secrets, no files and no network (locks.py). It is a fork of a helper, a fresh interpreter that has loaded
engine, fonts and tasks (helper.py), and works for one `scope`, a job or a caller, until it is idle or something goes
wrong: no stranger's picture meets another stranger's (pool.py). Where there is no Linux, all is done in this process.

    CellError
    ├── CellBusy   for now: there was no memory for this image within its time
    └── CellLost   of ours: the cell ended, and not by a limit of its own; to be tried again, and counted
"""

from .calls import look, preview, process
from .errors import CellBusy, CellError, CellLost
from .pool import close, own_pool

__all__ = ["CellBusy", "CellError", "CellLost", "close", "look", "own_pool", "preview", "process"]
