"""The connection to a cloud's API: made from clouds.yaml, one for each thread.

Calls that may be repeated are retried for a while before an API counts as unreachable, so that a message bus
that restarts in the middle of a drain does not end it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from openstack_rollout.errors import RolloutError, one_line

T = TypeVar("T")
RETRY_TIMEOUT = 120.0  # seconds
RETRY_INTERVAL = 2.0  # seconds
REQUEST_TIMEOUT = 60  # seconds
_UNAUTHORIZED, _FORBIDDEN = 401, 403
_RETRIED_STATUSES = (429, 500, 502, 503, 504)


class Cloud:
    """A cloud of clouds.yaml.

    name (str): as in clouds.yaml. retry_timeout (float): seconds for which an API that is down is retried.
    """

    def __init__(self, name: str, retry_timeout: float = RETRY_TIMEOUT):
        self.name = name
        self.retry_timeout = retry_timeout
        self._local = threading.local()

    @property
    def api(self) -> Any:
        """The openstack.connection.Connection of this thread.

        Raises RolloutError INVALID_PILLAR when clouds.yaml has no such cloud, LIBRARY_MISSING when the
        master's Python has no openstacksdk.
        """
        if not hasattr(self._local, "connection"):
            self._local.connection = self._connect()
        return self._local.connection

    @property
    def second_api(self) -> Any:
        """A second connection of this thread, for two requests at the same time. Raises as `api`."""
        if not hasattr(self._local, "second_connection"):
            self._local.second_connection = self._connect()
        return self._local.second_connection

    def retry(self, what: str, call: Callable[[], T], timeout: float | None = None) -> T:
        """Call a function, again and again while the API is down; returns what it returns.

        what (str): names the call in the error. call: takes no arguments, may be repeated. timeout (float):
        seconds for which it is retried, by default the cloud's retry_timeout. Raises RolloutError
        API_UNREACHABLE after that. An error that the API answers with (4xx) is raised at once, unchanged.
        """
        deadline = time.monotonic() + (self.retry_timeout if timeout is None else timeout)
        while True:
            try:
                return call()
            except Exception as error:
                if status_of(error) == _UNAUTHORIZED:
                    text = f"openstack:cloud: {_entry(self.name, error)}"
                    raise RolloutError("INVALID_PILLAR", text) from error
                if not is_unreachable(error):
                    raise
                if time.monotonic() > deadline:
                    text = f"cloud {self.name}: {what}: {one_line(str(error))}"
                    raise RolloutError("API_UNREACHABLE", text) from error
            time.sleep(RETRY_INTERVAL)

    def allowed(self, what: str, call: Callable[[], T]) -> T:
        """As `retry`, for what an admin may always ask.

        what (str), call: as for `retry`. Raises as that, and RolloutError INVALID_PILLAR where the user of
        clouds.yaml may not ask for it.
        """
        try:
            return self.retry(what, call)
        except Exception as error:
            if status_of(error) != _FORBIDDEN:
                raise
            text = f"openstack:cloud: {what}: {_entry(self.name, error)}"
            raise RolloutError("INVALID_PILLAR", text) from error

    def get_json(self, service: str, url: str, microversion: str) -> Any:
        """The JSON that a GET returns, for requests that openstacksdk lacks or whose answer it cuts.

        service (str): the SDK's name of it, e.g. `compute`. url (str): below the service's endpoint.
        microversion (str): e.g. "2.53". Raises as `allowed`.
        """

        def get() -> Any:
            import openstack.exceptions  # noqa: PLC0415 - as in _connect

            answer = getattr(self.api, service).get(url, microversion=microversion)
            openstack.exceptions.raise_from_response(answer)
            return answer.json()

        return self.allowed(f"{service} API, {url}", get)

    def require_reachable(self) -> None:
        """Raise RolloutError API_UNREACHABLE, without retrying, when the compute API does not answer."""
        self.retry("compute API", lambda: next(self.api.compute.services(), None), 0)

    def has_service(self, service_type: str) -> bool:
        """Whether Keystone's catalogue has an endpoint of a service type.

        service_type (str): e.g. `instance-ha`. Raises RolloutError API_UNREACHABLE.
        """
        return bool(self.retry("identity API", lambda: self.api.endpoint_for(service_type) is not None))

    def _connect(self) -> Any:
        try:
            import openstack  # noqa: PLC0415 - this package is on the nodes too, the SDK is not
        except ImportError as error:
            raise RolloutError(
                "LIBRARY_MISSING", f"a drain needs openstacksdk in the master's Python: {error}"
            ) from error
        try:
            return openstack.connect(cloud=self.name, api_timeout=REQUEST_TIMEOUT)
        except Exception as error:  # whatever a wrong clouds.yaml makes of the SDK
            raise RolloutError("INVALID_PILLAR", f"openstack:cloud: {_entry(self.name, error)}") from error


def _entry(name: str, error: Exception) -> str:
    """What is wrong with a cloud's entry in clouds.yaml, as the SDK or the API says."""
    said = one_line(str(error)).rstrip(".") or type(error).__name__
    return f"{name}: {said}; the master's clouds.yaml has to have that entry, with the password of an admin"


def is_unreachable(error: Exception) -> bool:
    """Whether an exception of the SDK means that an API is down for now, rather than that it refused.

    error: as raised by openstacksdk or keystoneauth.
    """
    import keystoneauth1.exceptions as auth  # noqa: PLC0415 - as in _connect
    import openstack.exceptions as sdk  # noqa: PLC0415

    if isinstance(error, sdk.HttpException):
        return status_of(error) in _RETRIED_STATUSES
    temporary = (auth.ConnectFailure, auth.RetriableConnectionFailure, auth.DiscoveryFailure)
    return isinstance(error, temporary) or (
        isinstance(error, auth.HttpError) and getattr(error, "http_status", 0) in _RETRIED_STATUSES
    )


def status_of(error: Exception) -> int:
    """The HTTP status (int) of an SDK exception, 0 when it has none."""
    return int(getattr(error, "status_code", None) or getattr(error, "http_status", None) or 0)


def match_host(node: str, hosts: dict[str, T]) -> T | None:
    """The value of the host that a node is in OpenStack: the same name, or the only one with its short name.

    node (str): minion id. hosts (dict): OpenStack's host name -> any value. Returns None for no match.
    """
    if node in hosts:
        return hosts[node]
    short = [found for host, found in hosts.items() if host.split(".")[0] == node.split(".", maxsplit=1)[0]]
    return short[0] if len(short) == 1 else None


def hosts_of(node: str, nodes: Iterable[str], hosts: Iterable[str]) -> set[str]:
    """The hosts of a service that are a node's: the one called as it, however that is written.

    node (str): minion id. nodes: the ids of all. hosts: OpenStack's names. Where none is called so, those
    that are no other node's.
    """
    written = {host.lower(): host for host in hosts}
    own = match_host(node.lower(), written)
    others = {match_host(one.lower(), written) for one in nodes if one != node}
    return {own} if own else {host for host in written.values() if host not in others}
