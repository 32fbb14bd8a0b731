"""Classic mirrored queues of RabbitMQ 3: which of them lack a synchronised mirror, and whether one will come.

Pure functions over the JSON of RabbitMQ's tools; RabbitMQ 4 has no such queues. What a mirror does is told in
https://www.rabbitmq.com/docs/3.13/ha.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from openstack_rollout.errors import some

#: What `rabbitmqctl list_queues` is asked for; a version without mirrors refuses it as wrong usage.
COLUMNS = ("name", "messages", "state", "policy", "slave_pids", "synchronised_slave_pids")
_MANUAL = "manual"


class Lagging(NamedTuple):
    """A queue of which a mirror is not synchronised. by_hand: whether only an operator has it synchronised,
    by the policy's `ha-sync-mode`, which is `manual` unless it says otherwise. at: how far it is, in messages
    that its mirrors have.
    """

    vhost: str
    name: str
    policy: str
    by_hand: bool
    at: int

    @property
    def label(self) -> str:
        """What an operator calls it, and its policy."""
        where = f" of {self.vhost}" if self.vhost != "/" else ""
        return f"{self.name}{where} (policy {self.policy or 'none'})"


def lagging(
    vhost: str, queues: Iterable[Mapping[str, Any]], policies: Iterable[Mapping[str, Any]]
) -> list[Lagging]:
    """The queues of a virtual host with a mirror that is not synchronised, and messages that it lacks.

    queues: rows of `list_queues` with COLUMNS. policies: rows of `list_policies`.
    """
    by_hand = {row["name"]: _by_hand(row) for row in policies}
    found = []
    for row in queues:
        mirrors, synchronised = (len(row.get(key) or ()) for key in COLUMNS[-2:])
        if mirrors > synchronised and row.get("messages") != 0:
            policy = row.get("policy") or ""
            # A queue that is being synchronised has the number of messages in its state.
            messages = sum(map(int, re.findall(r"\d+", json.dumps(row.get("state")))))
            at = messages + synchronised * (row.get("messages") or 0)
            found.append(Lagging(vhost, row["name"], policy, by_hand.get(policy, True), at))
    return found


def lacks(some_lag: Sequence[Lagging]) -> list[str]:
    """What is waited for, a line: the mirrors that are synchronised by themselves; [] for none."""
    names = [one.label for one in some_lag if not one.by_hand]
    return [f"mirrors are being synchronised: {some(names)}"] if names else []


def by_hand(some_lag: Sequence[Lagging]) -> list[str]:
    """What an operator has to do, a line for each queue whose policy leaves that to them; [] for none."""
    return [
        f"{one.label}: no mirror is synchronised by ha-sync-mode: manual; rabbitmqctl sync_queue --vhost"
        f" {one.vhost} {one.name}, or ha-sync-mode: automatic"
        for one in some_lag
        if one.by_hand
    ]


def _by_hand(policy: Mapping[str, Any]) -> bool:
    definition = policy.get("definition")
    if isinstance(definition, str):
        definition = json.loads(definition)
    return (definition or {}).get("ha-sync-mode", _MANUAL) == _MANUAL
