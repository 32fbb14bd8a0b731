"""What a rollout works with; the runner makes it of Salt, the tests of simulations."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from openstack_rollout.declared.model import Model
from openstack_rollout.drain import Drains
from openstack_rollout.fleet import Fleet
from openstack_rollout.journal import Journal
from openstack_rollout.lock import Lock
from openstack_rollout.reboots import Reboots
from openstack_rollout.workloads.verification import verify

Registry = Callable[[Mapping[str, str]], list[tuple[str, str]]]

Clusters = Callable[[Sequence[str]], None]

Verification = Callable[[Model, Sequence[str], Sequence[str]], str]


@dataclass
class Parts:
    """The parts by name.

    pillar: compiles the master's pillar, and validates it into the Model. registry: what the registry lacks
    of {name: reference}, as [(reason, line)]. drains, reboots: make the Drains and the Reboots of a Model.
    clusters: raises RolloutError QUORUM_AT_RISK when a cluster of one of these controllers is not whole.
    verification: has the cloud do something real on computes and gateways, and tells what.
    """

    fleet: Fleet
    journal: Journal
    lock: Lock
    pillar: Callable[[], Model]
    registry: Registry
    clock: Callable[[], float] = time.time
    drains: Callable[[Model], Drains] = Drains
    reboots: Callable[[Model], Reboots] = Reboots
    clusters: Clusters = lambda _: None
    verification: Verification = verify
