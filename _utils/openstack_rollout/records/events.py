"""The events of a run on the master's bus: their form, their tag, and the JSON Schema of what they carry.

    python -m openstack_rollout.records.events > docs/reference/events.schema.json

Events are news, the journal is the record. A field may be added to a version of the form; one that goes, or
changes its meaning, makes another version. Whoever reads events passes over the fields that it does not know.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter

#: Of the form of all events.
VERSION: Literal[2] = 2
PREFIX = "openstack/rollout"
#: What stands for the node, or the stage, where an event is of none.
NONE: Literal["-"] = "-"

NodeStatus = Literal[
    "started", "succeeded", "failed", "skipped", "slow", "retrying", "quarantined", "not_silenced"
]
Reason = Annotated[str, Field(pattern="^([A-Z][A-Z_]*)?$")]
State = Literal["running", "paused", "completed", "completed_with_open_ends", "incomplete", "aborted"]


@dataclass(kw_only=True)
class StageEstimate:
    """How long a stage takes: seconds in all, and by role."""

    seconds: float
    roles: dict[str, float]


@dataclass(kw_only=True)
class Estimated:
    """How long the rest of a run takes.

    seconds: in all. begins: when the first node may start (seconds since the epoch), None for at once. end:
    when it ends. stages: by stage. assumed: whether something had to be assumed that was never measured.
    """

    seconds: float
    begins: float | None
    end: float
    stages: dict[str, StageEstimate]
    assumed: bool


@dataclass(kw_only=True)
class _Event:
    __pydantic_config__ = ConfigDict(json_schema_serialization_defaults_required=True)

    run: Annotated[str, Field(description="The run's identifier.")]
    stage: Annotated[str, Field(description="The stage, `-` where it is of none.")]
    node: Annotated[str, Field(description="The minion's id, `-` where it is of none.")]
    step: Annotated[str, Field(description="The step of the node; of others what begins or ends.")]
    status: Annotated[str, Field(description="What happened.")]
    reason: Annotated[Reason, Field(description="A word of the reasons, empty where nothing is wrong.")]
    message: Annotated[str, Field(description="For people: what is wrong and where, or what a step tells.")]
    at: Annotated[float, Field(description="When, seconds since the epoch, by the master's clock.")]
    rollback: Annotated[str, Field(description="The run that this one undoes, empty for one that does not.")]
    version: Annotated[Literal[2], Field(description="Of the form of events.")] = VERSION

    @property
    def tag(self) -> str:
        """Under which it is fired."""
        return "/".join((PREFIX, self.run, self.stage, self.node, self.step))

    def plain(self) -> dict[str, Any]:
        """What it carries, as plain data."""
        return dict(vars(self))


@dataclass(kw_only=True)
class NodeEvent(_Event):
    """A step of a node."""

    status: NodeStatus
    round: Annotated[str, Field(description="The round of the stage, empty where it has one alone.")]
    role: Annotated[str, Field(description="The node's role.")]
    zone: Annotated[str | None, Field(description="Its failure domain, if any.")]
    in_flight: Annotated[int, Field(ge=0, description="How many nodes of that role are in flight now.")]


@dataclass(kw_only=True)
class _OfRun(_Event):
    node: Literal["-"] = NONE
    target: Annotated[
        str, Field(description="The release, empty where none is declared; of a rollback what it overrides.")
    ]
    orchestration: Annotated[str, Field(description="The SLS that runs it, e.g. orch.update.")]
    state: Annotated[State, Field(description="Of the run.")]


@dataclass(kw_only=True)
class RunEvent(_OfRun):
    """The run begins, goes on, or ends."""

    step: Literal["run"] = "run"
    stage: Literal["-"] = NONE
    status: Literal["started", "succeeded", "paused", "incomplete", "aborted"]


@dataclass(kw_only=True)
class StageEvent(_OfRun):
    """A stage begins or ends."""

    step: Literal["stage"] = "stage"
    status: Literal["started", "succeeded"]
    estimate: Annotated[
        Estimated | None, Field(description="How long the rest of the run takes, where a stage starts.")
    ] = None


@dataclass(kw_only=True)
class PlanEvent(_OfRun):
    """A stage is about to go otherwise than was planned when the run began."""

    step: Literal["plan"] = "plan"
    status: Literal["changed"]
    changes: Annotated[list[str], Field(description="What is planned otherwise, one line each.")]


@dataclass(kw_only=True)
class GateEvent(_OfRun):
    """A node, or the run, waits before it goes on."""

    step: Literal["gate"] = "gate"
    status: Literal["waiting"]
    nodes: Annotated[list[str], Field(description="Those that wait, as far as it is about nodes.")]


#: What the run itself fires, by the last part of its tag.
OF_RUN: dict[str, type[_OfRun]] = {
    "run": RunEvent,
    "stage": StageEvent,
    "plan": PlanEvent,
    "gate": GateEvent,
}
#: Any event.
FORM: TypeAdapter[Any] = TypeAdapter(NodeEvent | RunEvent | StageEvent | PlanEvent | GateEvent)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of what an event carries."""
    found = FORM.json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Events of openstack-rollout, version {VERSION}",
        "description": f"The data of events whose tag is {PREFIX}/<run>/<stage>/<node>/<step>.",
        **_tidy(found),
    }


def _tidy(value: Any) -> Any:
    """Without titles made of names, and with descriptions in one line."""
    if isinstance(value, list):
        return [_tidy(one) for one in value]
    if not isinstance(value, dict):
        return value
    named = {key: {name: _tidy(one) for name, one in value[key].items()}
             for key in ("properties", "$defs") if key in value}  # fmt: skip
    rest = {key: _tidy(one) for key, one in value.items() if key != "title" and key not in named}
    if "description" in rest:
        rest["description"] = " ".join(rest["description"].split())
    return {**rest, **named}


def text_of_schema() -> str:
    """The JSON Schema as its file has it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text_of_schema())
