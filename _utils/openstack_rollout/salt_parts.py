"""What a rollout works with, made of Salt: for the runners."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import salt.cache
import salt.config

from openstack_rollout import master_pillar, registry
from openstack_rollout.declared import reading
from openstack_rollout.declared.model import Model
from openstack_rollout.drain import Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.fleet import Fleet
from openstack_rollout.journal import Journal
from openstack_rollout.lock import Lock
from openstack_rollout.parts import Parts
from openstack_rollout.reboots import Reboots
from openstack_rollout.salt_ask import SaltAsk
from openstack_rollout.standby import may_stop


def master_options(opts: Mapping[str, Any]) -> dict[str, Any]:
    """The master's own options: inside an orchestration, a runner's are those of the master's minion."""
    return dict(salt.config.master_config(opts["conf_file"]))


def parts(opts: Mapping[str, Any], fleet: Fleet) -> Parts:
    """All parts over a fleet. opts (dict): of master_options."""
    return Parts(
        fleet=fleet,
        journal=journal(opts),
        lock=lock(opts),
        pillar=lambda: model(opts),
        registry=registry.problems,
        drains=lambda model: Drains(model, opts),
        reboots=lambda model: Reboots(model, opts),
        clusters=lambda nodes: may_stop(SaltAsk(opts), nodes),
    )


def model(opts: Mapping[str, Any]) -> Model:
    """What is declared, read anew. Raises RolloutError INVALID_PILLAR, …"""
    found = reading.read(master_pillar.compiled_pillar(opts))
    missing = master_pillar.missing_sls(opts, found)
    if missing:
        raise RolloutError("INVALID_PILLAR", missing[0])
    return found


def journal(opts: Mapping[str, Any]) -> Journal:
    """The journal in the master's cache."""
    return Journal(salt.cache.factory(opts))


def lock(opts: Mapping[str, Any]) -> Lock:
    """The master's lock."""
    return Lock(os.path.join(opts["cachedir"], "openstack_rollout.lock"))
