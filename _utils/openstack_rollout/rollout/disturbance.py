"""Whether it is known before that a stage disturbs nothing on a node: then more nodes may go together.

Neither what runs there nor its traffic notices: Open vSwitch's packages move without their scripts, and those
of the system have no script that starts, stops or restarts a service. What nobody can tell disturbs.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.differences import Difference, Kind
from openstack_rollout.declared.model import Model
from openstack_rollout.rollout.breakpoints import is_break

#: Steps that disturb nothing where the node state of their stage does not; hooks may do anything.
_STEPS = frozenset({"apply", "minion", "verify"})
_OF_PACKAGES = (Kind.PACKAGE, Kind.PACKAGE_LEFT, Kind.PACKAGE_DOUBLE, Kind.PACKAGE_HALF)
_KNOWN = {
    "ovs": frozenset({*_OF_PACKAGES, Kind.SWITCH_DISABLED}),
    "system": frozenset({*_OF_PACKAGES, Kind.NEWER, Kind.MINION, Kind.SYSTEM_IMAGE}),
}


def is_none(model: Model, stage: str, one: Compared, steps: Iterable[str], *, serves: bool) -> bool:
    """Whether a stage disturbs nothing on a node.

    model: what is declared. one: what the node is. steps: those that it goes through. serves: whether it
    serves data: what the system's packages are to that, nobody can tell.
    """
    open_ = one.stages.get(stage, [])
    known = _KNOWN.get(stage, frozenset())
    if not all(step in _STEPS or is_break(step) for step in steps) or any(d.kind not in known for d in open_):
        return False
    if stage == "ovs":
        return not model.ovs.reload
    return not serves and not any(
        fnmatchcase(name, glob) for name in _coming(open_) for glob in model.system.disruptive
    )


def _coming(open_: Iterable[Difference]) -> Iterable[str]:
    """The packages that move."""
    for one in open_:
        yield from (one.want if one.kind is Kind.NEWER else (one.subject,))
