"""Keys are kept out of messages: blanked out by value and by shape, never chained behind them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit, urlunsplit

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_SECRET_SHAPE = re.compile(r"\b(?:sk|pk|key|hf|gsk|xai)[-_][\w*.-]{6,}|Bearer\s+\S+", re.IGNORECASE)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Blank out keys: the given ones, those in the environment, and what looks like one.

    >>> redact("Incorrect API key provided: sk-abcdef123456")
    'Incorrect API key provided: ***'
    """
    in_environment = (value for name, value in os.environ.items() if _SECRET_NAME.search(name))
    for secret in (*secrets, *in_environment):
        if len(secret) >= 6:  # a shorter one would blank out ordinary words
            text = text.replace(secret, "***")
    return _SECRET_SHAPE.sub("***", text)


def hidden_in(address: str) -> tuple[str, ...]:
    """What an address keeps to itself: its password, and the values of its query.

    >>> hidden_in("http://me:swordfish@gpu1:8000/v1?key=open-sesame")
    ('swordfish', 'open-sesame')
    """
    try:
        parts = urlsplit(address)
    except ValueError:  # no address, and whoever asks it says so
        return ()
    password = (parts.password,) if parts.password else ()
    return (*password, *(value for _, value in parse_qsl(parts.query)))


def presentable(error: BaseException, secrets: Iterable[str] = ()) -> BaseException | None:
    """The exception itself, to chain from, unless a key stands in it or in what caused it."""
    secrets = tuple(secrets)
    link: BaseException | None = error
    while link is not None:
        if redact(str(link), secrets) != str(link):
            return None
        link = link.__cause__ or link.__context__
    return error


def public_endpoint(address: str | None) -> str | None:
    """An address without user name, password and query, fit to be printed.

    >>> public_endpoint("http://me:secret@gpu1:8000/v1?key=1")
    'http://gpu1:8000/v1'
    """
    if address is None:
        return None
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
