"""What a person should know of a result that is right all the same: stable codes, and a sentence for each."""

from collections.abc import Mapping
from types import MappingProxyType

GAIN_MAP_DROPPED = "gain_map_dropped"
DEPTH_REDUCED = "depth_reduced"
VALUES_STRETCHED = "values_stretched"
PROFILE_DROPPED = "profile_dropped"

#: Code -> sentence.
NOTES: Mapping[str, str] = MappingProxyType(
    {
        GAIN_MAP_DROPPED: "The original's gain map, which brightens it on HDR screens, would have shown the picture "
        "without its mark, and was left out.",
        DEPTH_REDUCED: "The original has more than 8 bits for each colour; the copy has 8.",
        VALUES_STRETCHED: "The original holds numbers that no screen shows as they are: its darkest became black, "
        "and its brightest white.",
        PROFILE_DROPPED: "The original's colour profile is damaged or of an unusual kind, and was left out; colours "
        "may be shown differently.",
    }
)
