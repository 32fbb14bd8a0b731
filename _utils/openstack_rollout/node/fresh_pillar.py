"""A node's pillar as the master has it now: what a minion holds in memory is as old as its last refresh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def fresh(opts: Mapping[str, Any], grains: Mapping[str, Any]) -> dict[str, Any]:
    """Have the master compile this minion's pillar anew, and return it.

    opts, grains (dict): the minion's, `__opts__` and `__grains__` of a module.
    """
    import salt.pillar  # noqa: PLC0415 - which imports Salt's client, that states do without

    return salt.pillar.get_pillar(
        opts,
        dict(grains),
        opts["id"],
        saltenv=opts.get("saltenv"),
        pillarenv=opts.get("pillarenv"),
    ).compile_pillar()
