"""The pillar as the master sees it, compiled anew for the master itself: what is declared, for all nodes.

It bypasses the master's pillar cache, since an operator runs a check right after an edit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import salt.fileclient

from openstack_rollout.declared import rendering
from openstack_rollout.declared.model import Model
from openstack_rollout.errors import RolloutError
from openstack_rollout.node.share import KEY
from openstack_rollout.on_salt import release_files

_SUFFIX = "_master"


def own_id(opts: Mapping[str, Any]) -> str:
    """The id that pillar/top.sls assigns `openstack` to: the master's own, which ends with `_master`.

    opts (dict): the master's configuration.
    """
    name = str(opts["id"])
    return name if name.endswith(_SUFFIX) else name + _SUFFIX


def missing_sls(opts: Mapping[str, Any], model: Model) -> list[str]:
    """A line for each hook or migration whose SLS the file server does not have.

    opts (dict): the master's configuration. model: what is declared.
    """
    named = dict(_named_sls(model))
    if not named:
        return []
    # A list that is seconds old lacks the SLS that was written just now.
    client = salt.fileclient.FSClient({**opts, "fileserver_list_cache_time": 0})
    try:
        known = set(client.list_states("base"))
    finally:
        client.destroy()
    return [f"{path}: {sls!r} is not on the file server" for path, sls in named.items() if sls not in known]


def _named_sls(model: Model) -> Iterator[tuple[str, str]]:
    for stage, moments in model.hooks.items():
        for moment, some in moments.items():
            for number, hook in enumerate(some):
                if hook.sls:
                    yield f"openstack:hooks:{stage}:{moment}:{number}:sls", hook.sls
    for version, release in model.releases.items():
        for number, hook in enumerate(release.migrations):
            if hook.sls:
                yield f"openstack:releases:{version}:migrations:{number}:sls", hook.sls


def handed_out(opts: Mapping[str, Any]) -> dict[str, Any]:
    """What an orchestration may have in its pillar though no operator gave it: the master's own, and the
    share of a master whose id has no suffix.

    opts (dict): the master's configuration. Raises RolloutError as `compiled_pillar`.
    """
    return {KEY: None, **compiled_pillar(opts)}


def compiled_pillar(opts: Mapping[str, Any]) -> dict[str, Any]:
    """The whole pillar of the master, compiled anew.

    Its key `_errors` has a line for each file that does not render, with line and cause, and for each release
    file that stands in the wrong place.

    opts (dict): the master's configuration. Raises RolloutError INVALID_PILLAR when Salt cannot compile it at
    all; SIGNATURE_WRONG for release files that have to be signed and are not.
    """
    # What another compilation left in the options would be merged into this one.
    own = {key: value for key, value in opts.items() if key not in ("pillar", "grains")}
    try:
        pillar = release_files.compiled(own, own_id(opts))
    except TypeError as error:
        # Salt merges an included file before it looks whether it is a mapping.
        raise RolloutError(
            "INVALID_PILLAR", f"pillar: an included file is not a mapping ({error})"
        ) from error
    roots = list((opts.get("pillar_roots") or {}).get("base") or ())
    errors = [*rendering.explain(roots, pillar.pop("_errors", ())), *rendering.stray_release_files(roots)]
    return {**pillar, "_errors": errors} if errors else pillar
