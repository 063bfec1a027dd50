"""An error of a connection becomes words."""

import errno
import socket
import ssl

import pytest

from bot.core.errors import ModelUnavailable
from bot.core.unreachable import why_unreachable


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "there was no answer in time"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "nothing listens at that address"),
        (socket.gaierror(socket.EAI_NONAME, "no such name"), "its name could not be looked up"),
        (OSError(errno.EHOSTUNREACH, "no route"), "this machine's network has no way there"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "the connection was cut"),
        (ssl.SSLCertVerificationError("self-signed"), "its certificate is not one that this machine trusts"),
        (ssl.SSLError("wrong version number"), "no encrypted connection could be made"),
    ],
)
def test_the_cause_is_told_however_deep_it_lies(error, words):
    outer = ModelUnavailable("connection: made up")
    outer.__cause__ = ValueError()
    outer.__cause__.__context__ = error

    assert (why_unreachable(error), why_unreachable(outer)) == (words, words)


def test_what_is_no_network_s_fault_is_told_as_it_says_itself():
    assert why_unreachable(ModelUnavailable("HTTP 503")) == "HTTP 503"
    assert why_unreachable(ModelUnavailable()) == "ModelUnavailable"
