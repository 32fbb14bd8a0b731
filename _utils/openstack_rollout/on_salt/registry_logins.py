"""What nodes and the master are told of declared registries: logins that Salt's sdb has, and mirrors.

A master makes many shares: what sdb said is kept for a short while, in the memory of the process alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from openstack_rollout.declared.model import Model
from openstack_rollout.declared.problems import path
from openstack_rollout.declared.registries import Registry
from openstack_rollout.node import registries
from openstack_rollout.on_salt import sdb_secrets
from openstack_rollout.vocabulary import SIGNED_BY

#: Seconds for which a secret is kept, and for which one is not asked for again that could not be read.
KEPT, KEPT_UNREADABLE = 60.0, 5.0
#: (the master's configuration, pillar key, address) → until when, the secret, why there is none
_known: dict[tuple[str, str, str], tuple[float, str, str]] = {}


def of(opts: Mapping[str, Any], model: Model, references: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What is declared of the registries that have these images: as node/registries.py reads it.

    opts (dict): the master's. model: what is declared. references: of images. Raises nothing: a login that
    cannot be read says so in its place.
    """
    declared = model.registries
    if not declared:
        return {}
    mirrors = {place: one.mirrors for place, one in declared.items()}
    return {
        place: {
            **{key: value for key, value in _plain(declared[place]).items() if value},
            **_login(opts, place, declared[place].username, declared[place].password),
        }
        for place in sorted(registries.needed(mirrors, references))
    }


def of_share(opts: Mapping[str, Any], model: Model, share: Mapping[str, Any]) -> dict[str, Any]:
    """{"openstack_registries": …} beside a node's share, nothing for a node that pulls from none of them.

    share (dict): the node's. Else as of `of`.
    """
    images = [one["image"] for one in share["services"]]
    found = of(opts, model, images)
    return {registries.KEY: found} if found else {}


def _plain(one: Registry) -> dict[str, Any]:
    return one.model_dump(include={"mirrors", *SIGNED_BY})


def _login(opts: Mapping[str, Any], place: str, username: str | None, address: str | None) -> dict[str, str]:
    if username is None or address is None:
        return {}
    password, why = _secret(opts, path(("openstack", "registries", place, "password")), address)
    return {"unreadable": why} if why else {"username": username, "password": password}


def _secret(opts: Mapping[str, Any], key: str, address: str) -> tuple[str, str]:
    """A secret, and why there is none."""
    known = str(opts.get("conf_file") or ""), key, address
    until, secret, why = _known.get(known, (0.0, "", ""))
    if time.monotonic() >= until:
        try:
            secret, why = sdb_secrets.read(opts, key, address), ""
        except sdb_secrets.Unreadable as error:
            secret, why = "", str(error)
        _known[known] = time.monotonic() + (KEPT_UNREADABLE if why else KEPT), secret, why
    return secret, why
