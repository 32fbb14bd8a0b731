"""What an operator asks of a run, read and checked, and what a run that goes on keeps of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from openstack_rollout.declared import targets
from openstack_rollout.declared.problems import shown, suggestion
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.asked import Asked
from openstack_rollout.records.run_record import Run
from openstack_rollout.rollout import breakpoints, conditions, stops
from openstack_rollout.rollout import limit as limits
from openstack_rollout.rollout.consent import LEVELS
from openstack_rollout.rollout.fleet import Fleet
from openstack_rollout.rollout.limit import EVERYBODY, Limit
from openstack_rollout.rollout.membership import Membership


@dataclass(frozen=True)
class Given:
    """What an operator gave with a command; None: nothing.

    limit (str): a compound target. until (str): a stage, or stage:role. confirm (str): one of consent.LEVELS.
    break_ (dict): moment of hooks, or stage:moment → compound target. accept: names of conditions
    (conditions.CONDITIONS) that are accepted for the run.
    """

    limit: str | None = None
    until: str | None = None
    confirm: str | None = None
    break_: Mapping[str, str] | None = None
    accept: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Raise RolloutError WRONG_ARGUMENT for what cannot be meant."""
        if self.limit is not None and (wrong := targets.problem(self.limit, by_master=True)):
            raise RolloutError("WRONG_ARGUMENT", f"limit: {wrong}")
        stage, colon, role = (self.until or "").partition(":")
        if self.until is not None and (not stage or (colon and not role)):
            raise RolloutError("WRONG_ARGUMENT", f"until: {shown(self.until)} is no stage, or stage:role")
        if self.confirm is not None and self.confirm not in LEVELS:
            near = suggestion(self.confirm, LEVELS) or f", there are {', '.join(LEVELS)}"
            raise RolloutError("WRONG_ARGUMENT", f"confirm: {shown(self.confirm)} is none{near}")
        if wrong := breakpoints.problem(self.break_ or {}):
            raise RolloutError("WRONG_ARGUMENT", f"break: {wrong}")
        conditions.accepted(self.accept or ())

    @property
    def target(self) -> str | None:
        """The limit as a run has it: "" for all nodes."""
        return "" if self.limit == EVERYBODY else self.limit

    def said(self) -> dict[str, Any]:
        """What was given, by its key in the pillar of an orchestration."""
        return {key.rstrip("_"): value for key, value in vars(self).items() if value is not None}


def going_on(unfinished: Run | None, orchestration: str) -> Run | None:
    """The unfinished run, where an orchestration goes on with it."""
    return unfinished if unfinished and unfinished.orchestration == orchestration else None


NOTHING = Given()
KEYS = tuple(key.rstrip("_") for key in vars(NOTHING))


def refuse_unknown(
    keys: Iterable[str], own: Callable[[], Mapping[str, Any]], known: Sequence[str] = KEYS
) -> None:
    """Raise WRONG_ARGUMENT for any key of an orchestration's pillar that is none of the known ones: what it
    should say, such as which nodes are meant, would be left out without a word.

    own: compiles the master's pillar: what is there anyway is none that an operator gave.
    """
    strange = [key for key in keys if key not in known]
    for key in sorted(set(strange) - (own().keys() if strange else set())):
        hint = suggestion(key, known) or f": there are {', '.join(known)}"
        raise RolloutError("WRONG_ARGUMENT", f"pillar: there is no {shown(key)}{hint}")


def of_run(given: Given, unfinished: Run | None) -> Asked:
    """What a run is asked that begins, or goes on with an unfinished one.

    Raises RolloutError RUN_UNFINISHED for another limit than that of the run that would go on.
    """
    if unfinished is None:
        asked = Asked()
        change(asked, given)
        return asked
    asked = replace(unfinished.asked, passed=list(unfinished.asked.passed))
    if given.target not in (None, asked.limit):
        had = f"is limited to {asked.limit!r}" if asked.limit else "has no limit"
        raise RolloutError(
            "RUN_UNFINISHED",
            f"run {unfinished.id} {had}, not to {given.limit!r}: salt-run rollout.resume"
            f" limit={given.limit!r} changes that",
        )
    stops.passed(asked)
    change(asked, given)
    return asked


def meant(asked: Asked, members: Membership, fleet: Fleet, stages: Sequence[str]) -> Limit:
    """The limit of a run of some stages; which nodes rest at its breakpoints is noted in what it is asked.

    Raises RolloutError NO_NODES, WRONG_ARGUMENT for what no node, or no stage of the run, is meant by.
    """
    limit = limits.of(asked, members, fleet)
    asked.resting = breakpoints.of(asked, members, fleet, stages, limit)
    stops.refuse_unknown(asked, stages, members)
    return limit


def change(asked: Asked, given: Given) -> None:
    """Take in what is given with a command that goes on with a run."""
    if given.target is not None and given.target != asked.limit:
        asked.limit, asked.nodes = given.target, None
    if given.break_ is not None:
        asked.breaks, asked.resting = dict(given.break_), None
    asked.confirm = given.confirm if given.confirm is not None else asked.confirm
    if given.until is not None:
        asked.until = given.until
        asked.passed = [one for one in asked.passed if one != stops.key_of(asked)]
