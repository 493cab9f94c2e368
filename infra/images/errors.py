"""What a person can mend."""


class ImageError(Exception):
    """Images can't be built; the message says why in a line."""
