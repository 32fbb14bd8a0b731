"""Whether what listens answers HTTP: a port that takes a connection proves little of an API.

A server may bind its port long before its application is loaded, and takes connections meanwhile: Debian's
units of uwsgi do. Any answer below 500 is one of the application, or of who refuses in its name.
"""

from __future__ import annotations

import contextlib
import http.client
import ssl
from collections.abc import Iterable

from openstack_rollout.node import listening
from openstack_rollout.node.sockets import Place

_WITHIN = 10.0  # seconds
_FAILS = 500
#: what servers say to who does not speak TLS to them
_BAD_REQUEST = 400


def ports(units: Iterable[str], path: str) -> list[int]:
    """The ports on which the processes of units answer HTTP now.

    units (list): their names, with `.service`. path (str): what is asked for.
    """
    return sorted({one.port for one in listening.of(units) if _answers(one, path)})


def lacking(units: Iterable[str], path: str, wanted: Iterable[int] | None = None) -> list[str]:
    """What is missing of HTTP answers of units, a line each; nothing of units that listen nowhere.

    units (list), path (str): as for `ports`. wanted: ports that have to answer; None: any one of those on
    which they listen.
    """
    there = sorted(listening.of(units))
    silent = [one for one in there if (wanted is None or one.port in wanted) and not _answers(one, path)]
    if wanted is None and len(silent) < len(there):
        return []
    return [f"no HTTP answer at {one}{path}" for one in silent]


def _answers(place: Place, path: str) -> bool:
    """Whether it answers, with TLS or without. An address that is not here now says nothing."""
    address = listening.asked_at(place)
    if not address:
        return True
    status = _status(http.client.HTTPConnection(address, place.port, timeout=_WITHIN), path)
    if status is None or status == _BAD_REQUEST:
        unverified = ssl.create_default_context()  # it is this host that is asked, by its address
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
        secure = http.client.HTTPSConnection(address, place.port, timeout=_WITHIN, context=unverified)
        found = _status(secure, path)
        status = status if found is None else found
    return status is not None and status < _FAILS


def _status(connection: http.client.HTTPConnection, path: str) -> int | None:
    """The status of an answer, None without one."""
    with contextlib.closing(connection):
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
