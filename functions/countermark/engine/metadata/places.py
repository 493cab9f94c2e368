"""What a property that says where a photograph was taken is called, whatever its namespace."""

import re
from functools import lru_cache

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_WORDS = {"lat", "lon", "lng", "alt", "geo", "city", "town", "state", "place", "address", "venue", "poi"}
_STEMS = (
    *("gps", "geotag", "geoloc", "geocod", "geograph", "latitude", "longitude", "longtitude", "altitude", "elevation"),
    *("coordinate", "location", "sublocation", "province", "country", "region", "landmark"),
)
_OF_PERSONS = ("CiAdr", "Licensor", "ImageSupplier", "CopyrightOwner")


@lru_cache(maxsize=1000)
def is_place(name: str) -> bool:
    """Tell whether the name of a property, without its prefix, is that of a place.

    The address of a photographer is none.
    """
    if name.startswith(_OF_PERSONS):
        return False
    words = [word.lower() for word in _WORD.findall(name)]
    return any(word in _WORDS or word.startswith(_STEMS) for word in words)
