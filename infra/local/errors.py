"""What can go wrong with the one-machine platform."""


class PlatformError(Exception):
    """The platform can't go on; the message tells the person at the terminal why, and what helps."""
