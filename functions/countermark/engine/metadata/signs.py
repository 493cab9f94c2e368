"""What a picture looks like inside other data: as it is, as text, or compressed.

This is the quick look that opaque values get before they are kept. It may be wrong on the safe side: what looks like a
picture is dropped. `leaks.py` decodes what it finds.
"""

import re
import zlib

#: How the files of pictures begin. The first byte of a JPEG preview is another one in the notes of some cameras.
_HEADS = (
    rb"[\xff\x00-\x0f]\xd8\xff[\xc0-\xfe]",
    rb"\x89PNG\r\n",
    rb"GIF8[79]a",
    rb"WEBPVP8[ LX]",
    rb"ftyp(?:avi[fs]|hei[cfmsx]|hev[cx]|mi[fa]1|msf1|jxl |crx |jp2 |qt  |isom|mp4\d)",
    rb"\0\0\0\x0cJXL \r\n",
    rb"\0\0\0\x0cjP  \r\n",
    rb"\xff\x4f\xff\x51\0",
    rb"8BPS\0[\x01\x02]",
    rb"II\xbc\x01",
    rb"qoif\0",
)
#: How compressed data begins that is never looked into: no camera writes it, so what is in it need not be known.
_SEALED = (
    rb"BZh[1-9]1AY&SY",
    rb"\xfd7zXZ\0",
    rb"\x28\xb5\x2f\xfd",
    rb"\x04\x22\x4d\x18",
    rb"LZIP\x01",
    rb"PK\x03\x04",
    rb"7z\xbc\xaf\x27\x1c",
)
_TIFF = (rb"II[*+]\0", rb"MM\0[*+]")
_PICTURE = re.compile(b"|".join(_HEADS))
_PICTURE_OR_TIFF = re.compile(b"|".join((*_HEADS, *_TIFF)))
_SEAL = re.compile(b"|".join(_SEALED))
_PACKED = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")
_MOST_PACKED, _UNPACKED = 64, 65_536  # how many are looked into, and how far

#: Heads whose bytes are all known, for their forms in text.
_LITERAL = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"WEBPVP8",
    b"ftypavif",
    b"ftyphei",
    b"ftypmif1",
    b"II*\0",
    b"MM\0*",
    b"8BPS\0\1",
)
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def holds_picture(data: bytes, *, tiff: bool = True) -> bool:
    """Tell whether something in `data` may be a picture; `tiff` says whether a TIFF structure counts as one."""
    head = _PICTURE_OR_TIFF if tiff else _PICTURE
    text = data.decode("latin-1")
    if (
        head.search(data)
        or _SEAL.search(data)
        or _as_text(text)
        or any(map(_encoded, _RUN.findall(text.replace("\0", ""))))
    ):
        return True
    for number, found in enumerate(_PACKED.finditer(data)):
        if number == _MOST_PACKED:
            return True  # nobody packs so much into so little, and looking on takes too long
        unpacked = unpack(data[found.start() :], _UNPACKED)
        if _PICTURE_OR_TIFF.search(unpacked) or len(unpacked) == _UNPACKED:
            return True
    return False


def begins_picture(data: bytes) -> bool:
    """Tell whether the head of a picture's file stands somewhere in `data`."""
    return bool(_PICTURE.search(data))


def unpack(data: bytes, most: int) -> bytes:
    """Return what the zlib or gzip stream at the start of `data` holds, at most `most` bytes; empty when it is none."""
    inflate = zlib.decompressobj(wbits=47)
    try:
        return inflate.decompress(data, most)
    except zlib.error:
        return b""


def reads(text: str, longest: int) -> bool:
    """Tell whether a text is for people: short, without control characters and without anything encoded in it."""
    if len(text) > longest or _CONTROL.search(text):
        return False
    return len(text) < _SHORTEST or not (_encoded(text) or _as_text(text) or _counts(text))


class Texts:
    """The texts of one block of metadata: what each of them may hold, all together may not."""

    def __init__(self) -> None:
        self._encoded = self._digits = self._numbers = 0

    def read(self, text: str, longest: int) -> bool:
        """Tell whether another text is for people, and whether all are together."""
        if not reads(text, longest):
            return False
        self._encoded += _encoded_letters(text)
        self._digits += len(_DIGIT.findall(text))
        return self._encoded <= _MOST_ENCODED and self._digits <= _MOST_DIGITS_TOGETHER

    def count(self, size: int) -> bool:
        """Tell whether so many bytes of numbers more are not too many."""
        self._numbers += size
        return self._numbers <= _MOST_NUMBERS


_MOST_NUMBERS = 2000  # bytes; those of a photograph are a few hundred
_MOST_ENCODED, _MOST_DIGITS_TOGETHER = 1000, 4000  # letters: a dozen identifiers, and the settings of a raw converter
_SHORTEST = 60  # letters; what fewer can encode is no picture to speak of
_MOST_DIGITS = 1000  # in a text of which most are digits
_UNBROKEN = re.compile(r"[A-Za-z]{120,}")  # longer than any word of any language that is written so
_DIGIT = re.compile(r"\d")

_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffd-\uffff]")
_WORD = re.compile(r"[^\W_]{3,}")
_RUN = re.compile(r"[A-Za-z0-9+/=_\r\n\t -]{100,}")
_MOST_MIXED = 100  # letters; some identifiers and a long address have as many
_SIGN = re.compile(r"[!-/:-@\[-`{-~]")
_MOST_SIGNS, _SHARE_OF_SIGNS = 12, 7  # kinds of signs in a text of which they are more than a seventh
_SEPARATORS = re.compile(r"[\s\0]+|&#x?[0-9A-Fa-f]{1,4};|\\[rnt]")
_HEX_SEPARATORS = re.compile(r"[\s\0,:;%]+|0x|\\x")
_HEX = re.compile("|".join(head.hex() for head in _LITERAL))


def _encoded(text: str) -> bool:
    """Tell whether most of a text is encoded, whether in one piece, in lines, or in groups of a few letters."""
    letters = _encoded_letters(text)
    return letters >= _MOST_MIXED and 2 * letters > len(_SEPARATORS.sub("", text))


def _encoded_letters(text: str) -> int:
    """Return how many letters of a text may be encoded.

    They are in words in which letters and digits, or small and large ones, stand as in no word, or in a text with signs
    of so many kinds as ASCII85 has.
    """
    found = _SIGN.findall(text)
    if len(set(found)) >= min(_MOST_SIGNS, max(len(text) // 5, 2)) and len(found) * _SHARE_OF_SIGNS > len(text):
        return len(text)
    return sum(len(word) for word in _WORD.findall(text) if _is_mixed(word))


def _is_mixed(word: str) -> bool:
    """Tell whether letters and digits, or small and large ones, stand in a word as in none of any script."""
    if word.isalpha():
        return word not in {word.lower(), word.upper()} and word[1:] != word[1:].lower()
    return not word.isdigit()


def _counts(text: str) -> bool:
    """Tell whether a text is numbers, as a picture in rows can be written, or letters that stand for some."""
    if len(text) > _MOST_DIGITS:
        digits = len(_DIGIT.findall(text))
        if digits > _MOST_DIGITS and 2 * digits > len(_SEPARATORS.sub("", text)):
            return True
    return bool(_UNBROKEN.search(text))


def _base64_forms(head: bytes) -> list[str]:
    """Return the regular expressions of a head in base64, one for each of the three places that it may begin at."""
    forms = []
    for before in range(3):
        bits = "?" * 8 * before + "".join(f"{byte:08b}" for byte in head)
        bits += "?" * (-len(bits) % 6)
        form = ""
        for at in range(0, len(bits), 6):
            group = re.compile(bits[at : at + 6].replace("?", "."))
            letters = [letter for number, letter in enumerate(_ALPHABET) if group.fullmatch(f"{number:06b}")]
            form += "." if len(letters) == 64 else f"[{re.escape(''.join(letters))}]"
        forms.append(form.strip("."))
    return forms


_BASE64 = re.compile("|".join(form for head in _LITERAL for form in _base64_forms(head)))


def _as_text(text: str) -> bool:
    """Tell whether a text holds the head of a picture in base64 or as hexadecimal digits."""
    letters = _SEPARATORS.sub("", text).replace("-", "+").replace("_", "/")
    return bool(_BASE64.search(letters)) or bool(_HEX.search(_HEX_SEPARATORS.sub("", text).lower()))
