"""Metadata: what a source carries besides its pixels, and what of it a marked copy does.

The rule is a list of what may stay; all else stays behind. A picture beside the picture carries no mark, and the places
for one are without number: previews, thumbnails, credentials, notes of a camera's maker, text in base64.

    carried.py    the one way from a source to a result
    exif.py       tag by tag (tags.py, structure.py), makers' notes by themselves (makernote.py)
    xmp.py        parsed, and written anew from known namespaces
    iptc.py       by number, and photoshop.py the resources around it
    icc.py        tag by tag as well (icc_values.py)
    jpeg.py, png.py, tiff.py   where all this stands in a file
    signs.py      whether a text or a value may be a picture in disguise
    leaks.py      a detector that decodes every picture in a finished file
"""

from .carried import Blocks, Metadata, kept, profile_of, read_blocks
from .exif import Exif
from .rights import Rights

__all__ = ["Blocks", "Exif", "Metadata", "Rights", "kept", "profile_of", "read_blocks"]
