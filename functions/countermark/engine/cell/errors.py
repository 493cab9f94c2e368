"""What can go wrong with a cell, and is no fault of the image."""


class CellError(Exception):
    """The image could not be worked on."""

    def __init__(self, message: str = "") -> None:
        """Take `message`, a sentence; without one the class speaks for itself."""
        super().__init__(message or type(self).__doc__)


class CellBusy(CellError):
    """There was no memory for this image within its time; it may be tried again."""


class CellLost(CellError):
    """The process that worked on the image ended early."""
