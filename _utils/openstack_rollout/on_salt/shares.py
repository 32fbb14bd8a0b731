"""Shares for Salt's ext_pillar: each of the master's workers keeps the model until a pillar file changes.

To compile and check the whole pillar for every node would cost a master more than anything else. A share
alone costs milliseconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import salt.cache
import salt.loader

from openstack_rollout.declared import reading, share, tags, way_back
from openstack_rollout.declared.model import Model
from openstack_rollout.errors import RolloutError
from openstack_rollout.node.share import KEY
from openstack_rollout.on_salt import master_pillar, registry_logins
from openstack_rollout.on_salt.cache_store import CacheStore
from openstack_rollout.records.journal import Journal
from openstack_rollout.rollout import in_force

#: Seconds that a model is kept where another ext_pillar adds to it: no file tells when that changes.
KEPT_BESIDE_OTHERS = 60


@dataclass
class _Kept:
    """A model, an empty one where it is refused; the pillar files it was made of, and when."""

    files: dict[str, tuple[int, ...]]
    made: float
    model: Model
    pinned: tuple[dict[str, str], Model] | None = (
        None  # what the last run took for tags, and the model with it
    )
    refused: tuple[str, str] | None = None  # reason and message: an error would keep its callers' frames


# A worker of the master makes many pillars; the loader keeps this module between them.
_kept: dict[str, _Kept] = {}
_matchers: dict[str, Any] = {}
_journals: dict[str, Journal] = {}


def share_of(opts: Mapping[str, Any], minion_id: str) -> dict[str, Any]:
    """{"openstack_node": share} of a minion; where what is declared is refused, its share is that refusal.
    Beside it what is declared of the registries from which it pulls.

    opts (dict): as Salt's loader gives them to an ext_pillar: the master's, with the minion's grains.
    minion_id (str). Raises nothing of ours: a refusal is a share with the one key `refused`.
    """
    try:
        model = declared(opts)
        grains = opts.get("grains") or {}

        def matches(target: str) -> bool:
            return _match(opts, target, minion_id)

        where = share.place(model, matches, grains.get("os_family"))
        rollback = in_force.of_node(model, _journal(opts), minion_id)
        if rollback is None:
            own = share.share(model, where, matches)
        else:
            own = way_back.share_of(model, where, matches, rollback)
        return {KEY: own, **registry_logins.of_share(opts, model, own)}
    except RolloutError as error:
        return {KEY: {"refused": {"reason": error.reason, "message": error.message}}}


def declared(opts: Mapping[str, Any]) -> Model:
    """What is declared, as of the pillar files' last change.

    opts (dict): the master's. Raises RolloutError INVALID_PILLAR, … as reading.read does.
    """
    files = dict(_files(opts))
    key = str(opts.get("conf_file") or opts["cachedir"])
    kept = _kept.get(key)
    if kept is None or kept.files != files or time.monotonic() - kept.made > _seconds_kept(opts):
        try:
            kept = _Kept(files, time.monotonic(), reading.read(master_pillar.compiled_pillar(opts)))
        except RolloutError as error:
            kept = _Kept(files, time.monotonic(), Model(), refused=(error.reason, error.message))
        _kept[key] = kept
    if kept.refused:
        raise RolloutError(*kept.refused)
    return _with_tags(kept, opts) if tags.of(kept.model) else kept.model


def _with_tags(kept: _Kept, opts: Mapping[str, Any]) -> Model:
    """The model with what the last run took for tags."""
    digests = Journal(CacheStore(salt.cache.factory(opts))).tags()
    if kept.pinned is None or kept.pinned[0] != digests:
        kept.pinned = digests, tags.pinned(kept.model, digests)
    return kept.pinned[1]


def _files(opts: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every file that may be part of the pillar, with what tells that it changed."""
    roots = [root for some in (opts.get("pillar_roots") or {}).values() for root in some]
    roots.append(os.path.join(opts["cachedir"], "git_pillar"))
    seen: set[tuple[int, int]] = set()  # a link may lead back
    while roots:
        try:
            entries = [entry for entry in os.scandir(roots.pop()) if not entry.name.startswith(".")]
        except OSError:
            continue
        for entry in entries:
            try:
                found = entry.stat()
            except OSError:
                yield entry.path, ()  # a link to nothing, or a file that has just gone
                continue
            if not entry.is_dir():
                yield entry.path, (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
            elif (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                roots.append(entry.path)


def _seconds_kept(opts: Mapping[str, Any]) -> float:
    others = {name for one in opts.get("ext_pillar") or () for name in one} - {"openstack_rollout", "git"}
    return KEPT_BESIDE_OTHERS if others else float("inf")


def _journal(opts: Mapping[str, Any]) -> Journal:
    """The journal in the master's cache; Salt's loader behind it costs more than a share."""
    key = str(opts["cachedir"])
    if key not in _journals:
        own = {name: value for name, value in opts.items() if name not in ("grains", "pillar")}
        _journals[key] = Journal(CacheStore(salt.cache.factory(own)))
    return _journals[key]


def _match(opts: Mapping[str, Any], target: str, minion_id: str) -> bool:
    if target == "*":
        return True
    if "compound" not in _matchers:
        _matchers["compound"] = salt.loader.matchers(dict(opts))["compound_match.match"]
    return bool(_matchers["compound"](target, opts=opts, minion_id=minion_id))
