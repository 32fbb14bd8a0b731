"""What of this node a run would want to know before it begins: room, clock, certificates, others at work.

It only looks. The master judges; nothing here is a verdict.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from salt.exceptions import SaltException

from openstack_rollout.node import (
    carriers,
    certificates,
    clock,
    container_store,
    fresh_pillar,
    http_answers,
    other_installers,
    package_sizes,
    storage,
    unit_states,
)
from openstack_rollout.node import share as shares
from openstack_rollout.node.errors import NodeError

#: The form of the answer; declared/readiness.py of the master has the same number.
SCHEMA = 1
#: Seconds after which no further part is begun; each has a limit of its own besides.
_PATIENCE = 90.0
_LONGEST = 500
_USR, _BOOT = "/usr", "/boot"
_CACHES = {"Debian": "/var/cache/apt/archives", "RedHat": "/var/cache/dnf"}
_KEPT = "/var/lib/openstack-rollout"


def report(
    days: float = 30,
    places: Sequence[str] = (),
    stages: Sequence[str] | None = None,
    fresh: bool = False,
) -> dict:
    """What a run would want to know of this node: records without judgement and without secrets.

    days (float): certificates that end within so many days are told. places (list): further globs of files
    with certificates. stages (list): those whose packages would move; None for all. fresh (bool): ask the
    master for the pillar first; a minion's own copy is old right after an edit.

    Returns what declared/readiness.py of the master describes. `unknown` says of each part that could not be
    told why.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' readiness.report days=60
    """
    begun = time.time()
    until = time.monotonic() + _PATIENCE
    unknown: dict[str, str] = {}

    def part(name: str, empty: Any, ask: Callable[[], Any]) -> Any:
        if time.monotonic() > until:
            unknown[name] = "the other parts took too long"
            return empty
        try:
            return ask()
        except (SaltException, OSError, ValueError, KeyError) as error:
            unknown[name] = f"{type(error).__name__}: {error}"[:_LONGEST]
            return empty

    share = part("share", {}, lambda: _share(fresh))
    stores = part("stores", [], lambda: container_store.found(__salt__))
    units = part("units", [], lambda: sorted(_units(share)))
    nothing = package_sizes.needed(__salt__, {}, is_apt=True)
    return {
        "schema": SCHEMA,
        "id": __grains__["id"],
        "clock": part(
            "clock", {"by": "", "synchronized": None, "offset": None}, lambda: clock.found(__salt__)
        ),
        "stores": stores,
        "packages": part("packages", nothing, lambda: _packages(share, stages)),
        "rooms": part("rooms", {}, lambda: _rooms(stores)),
        "boot": part("boot", 0, _boot),
        "certificates": part("certificates", [], lambda: certificates.ending(__salt__, days, list(places))),
        "failed": part("failed", {}, lambda: unit_states.failed(__salt__, units)),
        "mute": part("mute", [], lambda: list(_mute(share, until))),
        "by_hand": part("by_hand", [], lambda: list(_by_hand(units))),
        "installers": part("installers", [], lambda: other_installers.found(__salt__)),
        "unknown": unknown,
        "begun": begun,
        "ended": time.time(),
    }


def _share(fresh: bool) -> dict[str, Any]:
    return shares.of(fresh_pillar.fresh(__opts__, __grains__) if fresh else __pillar__)


def _units(share: Mapping[str, Any]) -> Iterator[str]:
    """The units of the services of this node's share."""
    known = carriers.carried(__salt__)
    for service in share.get("services", ()):
        name = service["container"]
        yield (known.get(name) or {}).get("unit") or f"{name}.service"
    for service in share.get("packaged", ()):
        yield from service["units"]


def _mute(share: Mapping[str, Any], until: float) -> Iterator[str]:
    """Services that are to answer HTTP, and take connections at most: a hanging API has not failed.

    until: by time.monotonic(), when no further one is asked: each that hangs takes its time.
    """
    for service in share.get("packaged", ()):
        if service["http"] and time.monotonic() > until:
            yield f"{service['name']}: not asked, the others took too long"
        elif service["http"]:
            missing = http_answers.lacking(service["units"], service["http"])
            yield from (f"{service['name']}: {one}" for one in missing)


def _packages(share: Mapping[str, Any], stages: Sequence[str] | None) -> dict[str, Any]:
    """The room that the packages need which this node's share would move, in some stages."""
    moving: dict[str, str] = {}
    some = [(wanted, stage) for stage, wanted in share.get("packages", {}).items()]
    some += [(one["packages"], one["stage"]) for one in share.get("packaged", ())]
    for wanted, stage in some:
        if stages is None or stage in stages:
            moving |= __salt__["package_set.changes"](wanted, stage)["install"]
    system = share.get("system", {})
    follows = system.get("others") and (stages is None or "system" in stages)
    if follows and not __salt__["bootc.status"]():
        plan = __salt__["system_packages.plan"](system["depth"], system["kept"])
        moving |= {**plan["upgrade"], **plan["install"]}
    return package_sizes.needed(__salt__, moving, is_apt=_family() == "Debian")


def _rooms(stores: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What is free where a run writes: {folder: {"system": mount point, "free": bytes, "files"}}."""
    folders = [_CACHES.get(_family(), "/var/cache"), _USR, _BOOT, _KEPT]
    folders += [one[key] for one in stores for key in ("root", "copies") if one[key]]
    found = {folder: storage.room(folder) for folder in dict.fromkeys(folders)}
    return {folder: dict(one._asdict()) for folder, one in found.items()}


def _boot() -> int:
    """The bytes that the running kernel and its initial RAM disk have in /boot: what another one needs."""
    release = str(__grains__.get("kernelrelease", ""))
    return sum(path.stat().st_size for path in Path(_BOOT).glob(f"*{release}*") if release and path.is_file())


def _by_hand(units: Sequence[str]) -> Iterator[str]:
    """What somebody has set aside, or keeps still, a line each."""
    yield from (f"{unit} is masked" for unit in unit_states.masked(__salt__, units))
    if "pacemaker.status" not in __salt__:
        return
    try:
        found = __salt__["pacemaker.status"]()
    except NodeError:
        return  # a cluster that does not answer is refused by its own condition
    if found is None:
        return
    if found["maintenance"]:
        yield "Pacemaker: the cluster is in maintenance mode"
    own = found["nodes"].get(found["node"], {})
    yield from (f"Pacemaker: this node is in {word}" for word in ("standby", "maintenance") if own.get(word))
    yield from (
        f"Pacemaker: resource {one['id']} is not managed"
        for one in found["resources"]
        if not one["managed"] and not found["maintenance"]
    )


def _family() -> str:
    return str(__grains__.get("os_family", "RedHat"))
