"""What an error of the object store means: for this object and for good, or for the store and for now.

NoSuchObject     it is not there
ObjectTooLarge   it is larger than the caller takes
Replaced         it is there, but not in the version that was asked for
Refused          this request will never do: a key, an object or a right is the matter
Unavailable      the store is away, busy or full, or this installation's settings for it are wrong; try again later
"""

from collections.abc import Set

import structlog

from countermark.http.problems import Unavailable

log = structlog.get_logger()

NOT_THERE = frozenset({"NoSuchKey", "NoSuchVersion", "NotFound", "404"})
NOT_THAT_VERSION = frozenset({"PreconditionFailed", "412"})

OF_THE_INSTALLATION = frozenset(
    {
        "AccountProblem",
        "AllAccessDisabled",
        "AuthorizationHeaderMalformed",  # the region is wrong
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidBucketName",
        "InvalidSecurity",
        "InvalidToken",
        "NoSuchBucket",
        "NotSignedUp",
        "PermanentRedirect",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)
"""Codes, most of them with a status of 4xx, that no other object would fare better with."""

OF_THE_MOMENT = frozenset(
    {
        "BadDigest",  # it was damaged on the way, as in the two below
        "IncompleteBody",
        "XAmzContentSHA256Mismatch",
        "BandwidthLimitExceeded",
        "ClientDisconnected",
        "ConditionalRequestConflict",
        "InternalError",
        "OperationAborted",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "SlowDownRead",
        "SlowDownWrite",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "TooManyRequestsException",
    }
)
"""Codes, some of them with a status of 4xx, of which the next try may know nothing."""
OF_THE_MOMENT_STATUS = frozenset({408, 429})
"""So is every status of 500 and more."""

FOR_NOW = frozenset(
    {
        "InvalidPart",  # an upload in parts was ended by somebody else; the whole of it is sent again
        "NoSuchUpload",
        "QuotaExceeded",
        "StorageFull",
    }
)
"""Codes of what passes, but not in the next seconds."""

OF_THE_OBJECT = frozenset({"ObjectTampered"})
"""Codes for an object that the store itself can't read. A store can answer so to a list that such an object is in, and
with a status of 2xx: whoever takes that for an empty list takes all others for lost."""

NO_KEY = frozenset({"InvalidObjectName", "InvalidResourceName", "KeyTooLong", "KeyTooLongError"})
"""Codes for a key that no object of this store can have, so that nothing is there to be deleted."""


class NoSuchObject(Exception):
    """The object is not there (any more)."""


class ObjectTooLarge(Exception):
    """The object is larger than the limit."""


class Replaced(Exception):
    """The object is not the version that was asked for."""


class Refused(Exception):
    """The store will never do this with this object; ``code`` is the store's own word for why.

    AccessDenied, KeyTooLongError, InvalidArgument, EntityTooLarge, an object that only its sender's key decrypts.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(f"The object store refuses it: {code}.")


def is_of_the_moment(code: str, status: int) -> bool:
    """Whether the same request may succeed in a second."""
    if is_among(code, OF_THE_INSTALLATION | FOR_NOW | OF_THE_OBJECT):
        return False
    return is_among(code, OF_THE_MOMENT) or status in OF_THE_MOMENT_STATUS or status >= 500


def meaning_of(operation: str, code: str, status: int) -> Exception:
    """The error for a code and a status (0 when only the code is known, as in a list of errors)."""
    if is_among(code, OF_THE_INSTALLATION | FOR_NOW) or is_of_the_moment(code, status):
        return away(operation, code, status)
    if code in NOT_THERE:
        return NoSuchObject()
    if code in NOT_THAT_VERSION or status == 412:
        return Replaced()
    return Refused(code) if status >= 400 or is_among(code, OF_THE_OBJECT) else away(operation, code, status)


def is_among(code: str, codes: Set[str]) -> bool:
    """Whether it is one of the codes, or a store's own word for one: those begin with an X and the store's name."""
    return code in codes or (code.startswith("X") and code.endswith(tuple(codes)))


def away(operation: str, code: str, status: int = 0) -> Unavailable:
    """The problem for the caller. The log has the cause; neither has an address or a key."""
    log.warning("object store unavailable", operation=operation, code=code, status=status)
    return Unavailable(f"The object store does not answer as it should: {code}.")
