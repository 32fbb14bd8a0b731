"""Secrets that the pillar names by their address in Salt's sdb; no message has one in it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import salt.utils.sdb

_one_at_a_time = threading.Lock()  # Salt's loader mixes up two calls at once


class Unreadable(Exception):
    """A secret cannot be read. passes: whether that may pass by itself."""

    def __init__(self, message: str, passes: bool):
        super().__init__(message)
        self.passes = passes


def read(opts: Mapping[str, Any], key: str, address: str) -> str:
    """What sdb has at an address.

    opts (dict): the master's options. key (str): the pillar key that names it. Raises Unreadable.
    """
    try:
        with _one_at_a_time:
            found = salt.utils.sdb.sdb_get(address, dict(opts), strict=True)
    except Exception as error:  # of whatever driver; what it says may be the secret
        raise Unreadable(f"{key}: {address} cannot be read ({type(error).__name__})", True) from None
    text = found.rstrip("\r\n") if isinstance(found, str) else ""
    if not text or text == address:
        raise Unreadable(f"{key}: {address} is no text, or has no value", False)
    return text
