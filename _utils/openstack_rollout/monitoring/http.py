"""One question to a server over HTTP, and its answer, which is JSON: read strictly, and within limits.

Neither a login nor a token gets into a message.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import requests
import urllib3
from requests.auth import AuthBase, HTTPBasicAuth

from openstack_rollout.errors import one_line
from openstack_rollout.monitoring.contract import Access, NoAnswer, NotFound

MOST = 10_000_000  # bytes
_CHUNK = 65_536
#: Answers of a server that may be better the next time.
_PASSES = (408, 422, 425, 429)
_NOT_FOUND = 404


class Answer(NamedTuple):
    """What a server answered: the data, and what its clock shows (seconds since the epoch), where it says."""

    data: Any
    date: float | None


class _Login(AuthBase):
    """The login of a server, or none: what ~/.netrc has is never sent."""

    def __init__(self, access: Access):
        self._access = access

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._access.token:
            request.headers["Authorization"] = f"Bearer {self._access.token}"
        elif self._access.login:
            HTTPBasicAuth(*(one.encode() for one in self._access.login))(request)
        return request


def ask(
    access: Access,
    method: str,
    path: str,
    parameters: Sequence[tuple[str, str]] = (),
    body: Mapping[str, Any] | None = None,
) -> Answer:
    """Ask a server. path (str): below its address. body: sent as JSON. Raises NoAnswer."""
    if access.token and not re.fullmatch(r"[!-~]+", access.token):
        raise NoAnswer(f"{access.what}: its token has a character in it that no header may have", False)
    until = time.monotonic() + access.connect + access.read
    try:
        with requests.request(
            method,
            access.address + path,
            params=list(parameters),
            json=body,
            auth=_Login(access),
            verify=access.cacert or True,
            timeout=(access.connect, access.read),
            allow_redirects=False,
            stream=True,
            headers={"Accept": "application/json"},
        ) as answer:
            content = _content(access, answer, until)
    except requests.exceptions.SSLError as error:
        text = f"{_called(access)}: its certificate is refused: {one_line(str(error))}"
        raise NoAnswer(text, passes=False) from error
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        passes = isinstance(error, requests.exceptions.RequestException | urllib3.exceptions.HTTPError)
        raise NoAnswer(f"{_called(access)}: {one_line(str(error))}", passes) from error
    if not answer.ok or answer.is_redirect:
        raise _refusal(access, answer, content)
    return Answer(_json(access, content), _date(answer))


def _content(access: Access, answer: requests.Response, until: float) -> bytes:
    found = b""
    while chunk := answer.raw.read1(_CHUNK, decode_content=True):  # read waits until it has as much
        found += chunk
        if len(found) > MOST:
            raise NoAnswer(f"{_called(access)}: its answer has more than {MOST} bytes", False)
        if time.monotonic() > until:
            raise NoAnswer(f"{_called(access)}: it did not end its answer within {access.read:.0f} s")
    return found


def _refusal(access: Access, answer: requests.Response, content: bytes) -> NoAnswer:
    """The error of a server that refuses, with what it says."""
    try:
        told = json.loads(content)
        said = told.get("error") or told.get("message") if isinstance(told, dict) else told
    except (ValueError, RecursionError):
        said = ""
    said = f": {one_line(said)}" if isinstance(said, str) and said else ""
    text = f"{_called(access)}: HTTP {answer.status_code} {answer.reason or ''}".rstrip() + said
    if answer.status_code == _NOT_FOUND:
        return NotFound(text, False)
    return NoAnswer(text, answer.status_code >= 500 or answer.status_code in _PASSES)


def _json(access: Access, content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except (ValueError, RecursionError) as error:
        raise NoAnswer(f"{_called(access)}: what it answers is not JSON") from error


def _date(answer: requests.Response) -> float | None:
    try:
        return parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return None


def _called(access: Access) -> str:
    return f"{access.what} ({access.address})"
