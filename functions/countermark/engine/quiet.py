"""What codecs say of a file on their own goes nowhere: one file could fill a log with it.

What is wrong with a file is the image's error. Pillow warns and logs; libtiff under it writes to the standard error, a
line for each row of a fax that is wrong.
"""

import ctypes
import logging
import warnings

from .compiled import beside_pillow


def hush() -> None:
    """Let Pillow and libtiff say nothing; threads that decode meanwhile may go on."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    for path in beside_pillow("tiff"):
        try:
            set_handler = ctypes.CDLL(path).TIFFSetErrorHandler
        except (OSError, AttributeError):
            continue
        set_handler.argtypes, set_handler.restype = (ctypes.c_void_p,), ctypes.c_void_p
        set_handler(None)
