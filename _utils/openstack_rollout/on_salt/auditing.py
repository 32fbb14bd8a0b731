"""What probes guests for a run: one auditor in a process, whichever of the runner's functions has it begin.

What needs OpenStack, or starts a program, is imported where guests are to be probed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from openstack_rollout.declared.audit import Audit
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt.ask import SaltAsk
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import Run

if TYPE_CHECKING:
    from openstack_rollout.rollout.auditing import Auditor, Found

log = logging.getLogger(__name__)

_ours: list[Auditor] = []  # the one of this process


class SaltAuditing:
    """Implements rollout.ports.Auditing.

    opts (dict): the master's options. journal: makes a journal, for a thread of its own. cloud: the entry of
    clouds.yaml, as it was read last.
    """

    def __init__(self, opts: Mapping[str, Any], journal: Callable[[], Journal], cloud: Callable[[], str]):
        self._opts = opts
        self._journal = journal
        self._cloud = cloud

    def begin(self, run: Run, audit: Audit | None) -> None:
        """A run begins, or goes on; one whose guests are probed already stays as it is. Never fails."""
        if any(one.run == run.id for one in _ours):
            return
        self.end()
        if audit is None:
            return
        try:
            self._begin(run, audit)
        except Exception:  # whatever it is, the run is not to end with it
            log.exception("no guest is probed")

    def end(self) -> None:
        """The run ends, or pauses; waits for some seconds at most."""
        while _ours:
            _ours.pop().close()

    def problems(self, audit: Audit | None) -> Sequence[str]:
        """Why guests could not be probed, a line each."""
        if audit is None:
            return []
        lines = [*self._of_servers(audit)]
        if audit.node is not None:
            if audit.node not in SaltAsk(self._opts).members(audit.node):
                lines.append(f"openstack:audit:node: {audit.node} is no accepted minion: give the id of one")
        elif audit.tcp_port is None:
            from openstack_rollout.on_salt import probing  # noqa: PLC0415

            lines += [f"openstack:audit: {line}" for line in probing.no_ping()]
        return lines

    def _of_servers(self, audit: Audit) -> list[str]:
        try:
            found = self._find(audit.servers) if audit.servers else {}
        except RolloutError as error:
            return [f"openstack:audit:servers: {error.message}"]
        named = list(audit.servers)
        return [
            f"openstack:audit:servers:{named.index(one)}: {each.problem}"
            for one, each in found.items()
            if each.problem
        ]

    def _begin(self, run: Run, audit: Audit) -> None:
        from openstack_rollout.on_salt import probing  # noqa: PLC0415 - whoever probes nobody does without it
        from openstack_rollout.rollout.auditing import Auditor  # noqa: PLC0415

        plan = {"port": audit.tcp_port}
        open_ = partial(probing.here, plan) if audit.node is None else partial(
            probing.on_node, SaltAsk(self._opts), audit.node, run.id, plan
        )  # fmt: skip
        auditor = Auditor(run.id, audit, self._journal().audits, self._find, open_)
        auditor.start()
        _ours.append(auditor)

    def _find(self, servers: Sequence[str]) -> dict[str, Found]:
        from openstack_rollout.cloud import guests  # noqa: PLC0415
        from openstack_rollout.cloud.api import Cloud  # noqa: PLC0415
        from openstack_rollout.rollout.auditing import Found  # noqa: PLC0415

        cloud = Cloud(self._cloud(), retry_timeout=0)
        return {name: Found(*one) for name, one in guests.find(cloud, servers).items()}
