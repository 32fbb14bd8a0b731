"""The connection to a cloud's API: made from clouds.yaml, patient while an API is away, one a thread.

A read, or a call that may be repeated, is asked again for a while before it counts as unreachable: a message
bus that restarts in the middle of a drain is no reason to leave it half done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from openstack_rollout.errors import RolloutError, one_line

T = TypeVar("T")
PATIENCE = 120.0
PAUSE = 2.0
REQUEST_TIMEOUT = 60
_AWAY = (429, 500, 502, 503, 504)


class Cloud:
    """A cloud of clouds.yaml. name (str). patience (seconds): how long an API may be away."""

    def __init__(self, name: str, patience: float = PATIENCE):
        self.name = name
        self.patience = patience
        self._local = threading.local()

    @property
    def api(self) -> Any:
        """The openstack.connection.Connection of this thread.

        Raises RolloutError INVALID_PILLAR when clouds.yaml has no such cloud, or openstacksdk is missing.
        """
        if not hasattr(self._local, "connection"):
            self._local.connection = self._connect()
        return self._local.connection

    @property
    def second(self) -> Any:
        """Another connection of this thread, for a request that is under way beside one of the first."""
        if not hasattr(self._local, "second"):
            self._local.second = self._connect()
        return self._local.second

    def patiently(self, what: str, call: Callable[[], T], patience: float | None = None) -> T:
        """call() until it answers. what (str): named in the error. patience (seconds): else the cloud's own.

        Raises RolloutError API_UNREACHABLE after that; what the API refuses (4xx) is raised as it comes.
        """
        until = time.monotonic() + (self.patience if patience is None else patience)
        while True:
            try:
                return call()
            except Exception as error:
                if not away(error):
                    raise
                if time.monotonic() > until:
                    text = f"cloud {self.name}: {what}: {one_line(str(error))}"
                    raise RolloutError("API_UNREACHABLE", text) from error
            time.sleep(PAUSE)

    def ask(self, service: str, url: str, microversion: str) -> Any:
        """The answer (JSON) to a GET for which the SDK has no words, or words that leave out what we need.

        service (str): the SDK's name for it, e.g. `compute`. Raises as `patiently` does.
        """

        def get() -> Any:
            import openstack.exceptions  # noqa: PLC0415 - as in _connect

            answer = getattr(self.api, service).get(url, microversion=microversion)
            openstack.exceptions.raise_from_response(answer)
            return answer.json()

        return self.patiently(f"{service} API, {url}", get)

    def reach(self) -> None:
        """Raise RolloutError API_UNREACHABLE, at once, when the cloud's compute or network API is away."""
        self.patiently("compute API", lambda: next(self.api.compute.services(), None), 0)

    def offers(self, service: str) -> bool:
        """Whether the catalogue names an endpoint for a service type, e.g. `instance-ha`."""
        return bool(self.patiently("identity API", lambda: self.api.endpoint_for(service) is not None))

    def _connect(self) -> Any:
        try:
            import openstack  # noqa: PLC0415 - nodes have the package of this module, but not the SDK
        except ImportError as error:
            raise RolloutError(
                "LIBRARY_MISSING", f"a drain needs openstacksdk in the master's Python: {error}"
            ) from error
        try:
            return openstack.connect(cloud=self.name, api_timeout=REQUEST_TIMEOUT)
        except openstack.exceptions.ConfigException as error:
            raise RolloutError("INVALID_PILLAR", f"openstack:cloud: {one_line(str(error))}") from error


def away(error: Exception) -> bool:
    """Whether an exception of the SDK tells that an API is away for now, rather than that it said no."""
    import keystoneauth1.exceptions as auth  # noqa: PLC0415 - as in _connect
    import openstack.exceptions as sdk  # noqa: PLC0415

    if isinstance(error, sdk.HttpException):
        return status_of(error) in _AWAY
    temporary = (auth.ConnectFailure, auth.RetriableConnectionFailure, auth.DiscoveryFailure)
    return isinstance(error, temporary) or (
        isinstance(error, auth.HttpError) and getattr(error, "http_status", 0) in _AWAY
    )


def status_of(error: Exception) -> int:
    """The HTTP status of an SDK exception, 0 when it has none."""
    return int(getattr(error, "status_code", None) or getattr(error, "http_status", None) or 0)


def refused(error: Exception) -> bool:
    """Whether an exception is the API's own no (a 4xx)."""
    return 400 <= status_of(error) < 500 and status_of(error) != 429


def match_host(node: str, hosts: dict[str, T]) -> T | None:
    """What OpenStack calls a node's host: the same name, or the only one with the same first label.

    node (str): minion id. hosts (dict): by OpenStack's host name.
    """
    if node in hosts:
        return hosts[node]
    short = [found for host, found in hosts.items() if host.split(".")[0] == node.split(".", maxsplit=1)[0]]
    return short[0] if len(short) == 1 else None
