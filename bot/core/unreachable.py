"""Why a server could not be reached, in words for whoever runs the bot."""

import errno
import socket
import ssl
from collections.abc import Iterator

_BY_KIND: tuple[tuple[type[BaseException], str], ...] = (
    (TimeoutError, "there was no answer in time"),
    (socket.gaierror, "its name could not be looked up"),
    (ssl.SSLCertVerificationError, "its certificate is not one that this machine trusts"),
    (ssl.SSLError, "no encrypted connection could be made"),
)
_NO_WAY, _CUT = "this machine's network has no way there", "the connection was cut"
_BY_NUMBER = {
    errno.ECONNREFUSED: "nothing listens at that address",
    **dict.fromkeys((errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN), _NO_WAY),
    **dict.fromkeys((errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE), _CUT),
}


def why_unreachable(error: BaseException) -> str:
    """As the first of the error's causes says that is a network's; else the error's own words, or its name."""
    return next(filter(None, map(_in_words, _causes(error))), str(error) or type(error).__name__)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _in_words(error: BaseException) -> str | None:
    by_number = _BY_NUMBER.get(error.errno or 0) if isinstance(error, OSError) else None
    return next((words for kind, words in _BY_KIND if isinstance(error, kind)), by_number)
