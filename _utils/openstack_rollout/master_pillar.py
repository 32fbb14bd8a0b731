"""The pillar as the master sees it, compiled anew for one minion: what runners validate and plan with.

The one room here, next to the Salt fleet, that imports Salt. It bypasses the master's pillar cache, since an
operator runs a check right after an edit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import salt.pillar
import salt.utils.minions

from openstack_rollout.errors import RolloutError


def compiled_pillar(opts: Mapping[str, Any], minion_id: str | None = None) -> dict[str, Any]:
    """The whole pillar of a minion, `_errors` included.

    opts (dict): the master's configuration (`__opts__` of a runner). minion_id (str): by default the first
    accepted minion, or any name when there is none yet. Raises RolloutError INVALID_PILLAR when Salt cannot
    compile it at all.
    """
    if minion_id is None:
        accepted = salt.utils.minions.CkMinions(opts).check_minions("*", "glob")["minions"]
        minion_id = min(accepted, default="no-minion")
    _, grains, _ = salt.utils.minions.get_minion_data(minion_id, opts)
    compiler = salt.pillar.Pillar(dict(opts), grains or {"id": minion_id}, minion_id, "base")
    try:
        return dict(compiler.compile_pillar())
    except TypeError as error:
        # Salt merges an included file before it looks whether it is a mapping.
        raise RolloutError(
            "INVALID_PILLAR", f"pillar: an included file is not a mapping ({error})"
        ) from error
    finally:
        compiler.destroy()
