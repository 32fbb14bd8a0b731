"""The ports of a rollout, made of Salt: for the runners."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import salt.cache
import salt.config

from openstack_rollout.cloud import agents, cinder, ironic, octavia, standing, verification
from openstack_rollout.cloud.api import Cloud
from openstack_rollout.declared import facts, reading
from openstack_rollout.declared.facts import VirtualAddresses
from openstack_rollout.declared.model import Model
from openstack_rollout.drains import risk_report
from openstack_rollout.drains.kinds import Drains
from openstack_rollout.drains.live_migrate import LiveMigrate
from openstack_rollout.drains.standby import require_whole_clusters
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import (
    auditing,
    backups,
    calendars,
    caller,
    interrupts,
    master_pillar,
    monitors,
    notifying,
    readiness,
    registry,
    registry_logins,
    run_lock,
    shares,
    way_back,
)
from openstack_rollout.on_salt.ask import SaltAsk
from openstack_rollout.on_salt.cache_store import CacheStore
from openstack_rollout.on_salt.fleet import SaltFleet
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.lock import Lock
from openstack_rollout.rollout import in_force
from openstack_rollout.rollout.consent import Nobody, Terminal
from openstack_rollout.rollout.openings import Openings
from openstack_rollout.rollout.ports import Ports, Standing
from openstack_rollout.rollout.reboots import Reboots

#: What tells what the services of a type work on; the types are those of rollout/gates.py.
_WORK = {
    "ironic-conductor": ironic.in_hand,
    "octavia-worker": octavia.in_hand,
    "cinder-volume": cinder.volumes_in_hand,
    "cinder-backup": cinder.backups_in_hand,
}


def master_options(opts: Mapping[str, Any]) -> dict[str, Any]:
    """The master's own options. Inside an orchestration, a runner's are those of the master's minion.

    opts (dict): a runner's __opts__.
    """
    return dict(salt.config.master_config(opts["conf_file"]))


def ports(opts: Mapping[str, Any], fleet: SaltFleet, terminal: Terminal | None = None) -> Ports:
    """All ports over a fleet. opts (dict): of master_options. terminal: the one that runs a run."""
    read: list[Model] = []
    cache = partial(_cache, opts)
    own = lock(opts)
    fleet.hold_to(own)
    fleet.listener = notifying.Notifier(opts, cache, lambda: read[-1] if read else None)

    def declared() -> Model:
        read[:] = [model(opts)]
        return read[-1]

    def reach(references: Iterable[str]) -> dict[str, dict[str, Any]]:
        return registry_logins.of(opts, read[-1], references) if read else {}

    return Ports(
        fleet=fleet,
        journal=journal(opts),
        lock=own,
        pillar=declared,
        content=lambda: shares.declared(opts).content,
        registry=partial(registry.problems, reach=reach),
        drains=lambda model: Drains(model, SaltAsk(opts)),
        reboots=lambda model: Reboots(model, SaltAsk(opts), refuse_lost=own.refuse_lost),
        verification=_verify,
        risks=risk_report.of_nodes,
        clusters=lambda nodes: require_whole_clusters(SaltAsk(opts), nodes),
        addresses=lambda nodes: _addresses(SaltAsk(opts), nodes),
        in_hand=lambda model, kind, *nodes: _WORK[kind](Cloud(model.cloud, retry_timeout=0), *nodes),
        caller=caller.caller,
        readiness=partial(readiness.ask, fleet),
        layers=partial(registry.layers, reach=reach),
        standing=_standing,
        server_groups=lambda model, nodes: LiveMigrate(model).apart(nodes),
        terminal=terminal or Nobody(),
        interrupted=interrupts.asked,
        digests=partial(registry.digests, reach=reach),
        events=calendars.events,
        monitor=partial(monitors.SaltMonitor, opts),
        untold=partial(notifying.problems, opts),
        agents=lambda model, *of: agents.wait_until_renewed(Cloud(model.cloud), *of),
        way_back=lambda run, nodes: way_back.ask(fleet, run, nodes),
        backups=partial(backups.ask, fleet),
        audit=auditing.SaltAuditing(opts, partial(journal, opts), lambda: read[-1].cloud),
    )


def model(opts: Mapping[str, Any]) -> Model:
    """What is declared, read anew, with the rollback in force.

    opts (dict): of master_options. Raises RolloutError INVALID_PILLAR, … as reading.read does, and for an SLS
    that the file server does not have; JOURNAL_DAMAGED.
    """
    found = reading.read(master_pillar.compiled_pillar(opts))
    missing = master_pillar.missing_sls(opts, found)
    if missing:
        raise RolloutError("INVALID_PILLAR", missing[0])
    return in_force.turned(found, journal(opts))


def openings(opts: Mapping[str, Any], declared: Model | None = None) -> Openings:
    """The windows of what is declared.

    opts (dict): of master_options. declared: what is; read anew by default. Raises as `model`.
    """
    return Openings(declared or model(opts), calendars.events)


def journal(opts: Mapping[str, Any]) -> Journal:
    """The journal in the master's cache. opts (dict): of master_options. Raises RolloutError CACHE_UNFIT,
    LIBRARY_MISSING.
    """
    cache = _cache(opts)
    return Journal(cache, folder=cache.folder)


def lock(opts: Mapping[str, Any]) -> Lock:
    """The lock of the one run that a master may have, or all that share its cache. opts (dict): of
    master_options. Raises RolloutError LIBRARY_MISSING.
    """
    return run_lock.of(opts)


def _cache(opts: Mapping[str, Any]) -> CacheStore:
    return CacheStore(salt.cache.factory(opts), lock(opts).refuse_lost)


def _addresses(ask: SaltAsk, nodes: Sequence[str]) -> dict[str, VirtualAddresses]:
    """What nodes tell of the addresses that they share; who tells nonsense did not answer."""
    answers = ask.ask(nodes, "virtual_addresses.found", timeout=5)
    told = {node: facts.virtual_addresses(one.value) for node, one in answers.items() if not one.error}
    return {node: one for node, one in told.items() if one}


def _standing(model: Model, nodes: Sequence[str]) -> list[Standing]:
    """How the services of nodes stand in OpenStack."""
    return [Standing(*one) for one in standing.of_nodes(Cloud(model.cloud, retry_timeout=0), nodes)]


def _verify(model: Model, computes: Sequence[str], gateways: Sequence[str]) -> str:
    """Have the cloud do something real on nodes, where the pillar wants that. Returns one line."""
    if not model.verifies:
        return ""
    return verification.verify(model.cloud, model.verification, computes, gateways)
