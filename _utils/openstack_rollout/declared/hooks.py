"""Hooks: an operator's own commands or SLS before and after the steps of a stage, and a release's migrations.

A migration is a hook that belongs to a release, runs once a node, and is gone with its release. Running them
is the node's affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self, get_args

from pydantic import AfterValidator, model_validator

from openstack_rollout.declared.amounts import DAY
from openstack_rollout.declared.base import Strict
from openstack_rollout.declared.names import Argument, HookName, SlsName, Target, WholeNumber, as_command
from openstack_rollout.declared.problems import Path, Wrong, raise_all, shown
from openstack_rollout.vocabulary import Stage

if TYPE_CHECKING:
    from openstack_rollout.declared.model import Model

Moment = Literal[
    "before_drain",
    "after_drain",
    "before_apply",
    "after_apply",
    "before_reboot",
    "after_reboot",
    "before_verify",
    "after_verify",
    "before_restore",
    "after_restore",
]
MOMENTS: tuple[str, ...] = get_args(Moment)
#: A migration follows the update of its stage's packages and containers, and precedes the proof.
MIGRATION = "after_apply"
TIMEOUT = 300
_MOST = 100  # hooks of one moment


class Hook(Strict):
    """A command (a list of arguments) or an SLS of the operator, on the nodes."""

    name: HookName
    """What reports call it; unique within its moment, or among the migrations of its release."""
    command: Annotated[list[Argument], AfterValidator(as_command)] | None = None
    """The program and its arguments; no shell reads them."""
    sls: SlsName | None = None
    """The SLS to apply, in place of a command."""
    timeout: Annotated[int, WholeNumber(1, DAY)] = TIMEOUT
    """Seconds that it may take."""
    on_failure: Literal["fail", "go_on"] = "fail"
    """Whether the node fails with it, or goes on."""
    nodes: Target = "*"
    """A compound target: the nodes that run it."""
    show_output: bool = False
    """Whether the end of what it printed gets into messages, reports and events when it fails. As shipped it
    stays on the node: it may have secrets in it."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.command is None) == (self.sls is None):
            raise Wrong("needs either a command (a list) or an sls")
        return self


class Migration(Hook):
    """A hook of a release, which each node runs once, after its stage's update and before the proof of it."""

    stage: Stage
    """The stage that it belongs to."""
    reversible: bool = False
    """Whether what ran before works with what it leaves: else a run in which it ran cannot be rolled back."""


def _unique(some: list[Hook]) -> list[Hook]:
    if len(some) > _MOST:
        raise Wrong(f"has {len(some)} entries, {_MOST} are allowed")
    lines: list[tuple[Path, str]] = []
    seen: dict[str, int] = {}
    for number, one in enumerate(some):
        first = seen.setdefault(one.name, number)
        if first != number:
            lines.append(((number, "name"), f"{shown(one.name)} is the name of number {first} too"))
    raise_all(lines)
    return some


Hooks = Annotated[list[Hook], AfterValidator(_unique)]
Migrations = Annotated[list[Migration], AfterValidator(_unique)]


def of(model: Model, stage: str, moment: str) -> list[Hook]:
    """The hooks of a moment of a stage, in the operator's order."""
    moments: dict = model.hooks.get(stage) or {}  # type: ignore[call-overload]
    return list(moments.get(moment) or ())


def migrations(model: Model, version: str, stage: str | None = None) -> list[Migration]:
    """The migrations of a release (of one stage); none where there is no such release."""
    release = model.releases.get(version)
    return [one for one in (release.migrations if release else ()) if stage in (None, one.stage)]


def steps(model: Model, stage: str, names: Sequence[str], version: str) -> tuple[str, ...]:
    """The steps of a stage with those of its hooks among them: before_apply, apply, after_apply, …"""
    found: list[str] = []
    for name in names:
        for moment in (f"before_{name}", name, f"after_{name}"):
            hooked = of(model, stage, moment) or (moment == MIGRATION and migrations(model, version, stage))
            if moment == name or hooked:
                found.append(moment)
    return tuple(found)


def is_moment(step: str) -> bool:
    """Whether a step is that of hooks."""
    return step in MOMENTS
