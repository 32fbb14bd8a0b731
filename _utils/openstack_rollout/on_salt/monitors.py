"""A cloud's monitoring as a run asks it: with logins that Salt's sdb has, read when they are needed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from openstack_rollout.declared.monitoring import Monitoring, Server
from openstack_rollout.monitoring.contract import (
    Access,
    Alert,
    AlertSilences,
    Matches,
    NoAnswer,
    Sample,
)
from openstack_rollout.on_salt import sdb_secrets


class SaltMonitor:
    """Implements monitoring.contract.Monitor.

    opts (dict): the master's options. monitoring: what is declared.

    Its libraries are imported when something is asked: whoever has no gate does without them.
    """

    def __init__(self, opts: Mapping[str, Any], monitoring: Monitoring):
        self._opts = opts
        self._monitoring = monitoring
        self._known: dict[str, Access] = {}

    def series(self, query: str) -> list[Sample]:
        """The series of an instant query, evaluated now. Raises NoAnswer."""
        from openstack_rollout.monitoring import prometheus  # noqa: PLC0415

        return prometheus.series(self._access("prometheus"), query)

    def alerts(self, matches: Matches, silenced: bool, inhibited: bool) -> list[Alert]:
        """The alerts that fire and have all of these labels. Raises NoAnswer."""
        from openstack_rollout.monitoring import alertmanager  # noqa: PLC0415

        return alertmanager.alerts(self._access("alertmanager"), matches, silenced, inhibited)

    def silences(self) -> AlertSilences:
        """The silences of the Alertmanager. Raises NoAnswer."""
        from openstack_rollout.monitoring import alertmanager  # noqa: PLC0415

        return alertmanager.Silences(self._access("alertmanager"))

    def _access(self, name: str) -> Access:
        if name not in self._known:
            server: Server | None = getattr(self._monitoring, name)
            if server is None:
                raise NoAnswer(f"openstack:monitoring:{name} is not declared", passes=False)
            secret = partial(self._secret, name)
            login = (server.username, secret("password", server.password)) if server.username else None
            self._known[name] = Access(
                name.capitalize(),
                server.address,
                server.cacert or "",
                login,
                secret("token", server.token),
                float(server.connect_timeout),
                float(server.read_timeout),
            )
        return self._known[name]

    def _secret(self, server: str, key: str, address: str | None) -> str:
        """A secret, "" for none."""
        if address is None:
            return ""
        try:
            return sdb_secrets.read(self._opts, f"openstack:monitoring:{server}:{key}", address)
        except sdb_secrets.Unreadable as error:
            raise NoAnswer(str(error), error.passes) from None
