"""How each role is updated, and how workloads leave its nodes; safe defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import GetJsonSchemaHandler, PlainValidator, PrivateAttr, WithJsonSchema, model_validator
from pydantic_core import CoreSchema

from openstack_rollout.declared.amounts import (
    DAY,
    HOUR,
    Batch,
    Count,
    Failures,
    Gib,
    Nodes,
    One,
    Pause,
    Retries,
    Seconds,
    batch_size,
    part_of,
)
from openstack_rollout.declared.base import Strict
from openstack_rollout.declared.gates import Gates
from openstack_rollout.declared.names import NAME, TARGET
from openstack_rollout.declared.problems import Path, Wrong, not_a, not_a_string, raise_all, shown, suggestion
from openstack_rollout.declared.silences import Silences
from openstack_rollout.declared.windows import Window
from openstack_rollout.vocabulary import ROLES, Stage

NO_DRAIN = "none"
#: Drains that speak to OpenStack's API.
CLOUD_DRAINS = ("live_migrate", "require_empty", "move_routers")
#: Stages that disturb a node's data path or its servers; the others need nothing moved.
DISTURBING = ("services", "ovs", "system")
#: What of a role may be set aside where nothing is said of it.
SET_ASIDE = "10%"
#: Nodes that at least go together where nothing is disturbed, however few a percentage is.
UNDISTURBED_TOGETHER = 5


def _groups(value: Any) -> dict[str, str]:
    """Groups in their order: name → target, "" for one that is a zone of that name."""
    if isinstance(value, list):
        pairs = [(number, name, "") for number, name in enumerate(value)]
    elif isinstance(value, Mapping):
        pairs = [(name, name, target) for name, target in value.items()]
    else:
        raise Wrong(not_a("a list of zones, or a mapping of names to compound targets", value))
    lines: list[tuple[Path, str]] = []
    found: dict[str, str] = {}
    for place, name, target in pairs:
        text = NAME.problem(name) if isinstance(name, str) else not_a_string(name)
        if not text and name in found:
            text = f"{shown(name)} is there twice"
        if not text and isinstance(value, Mapping):
            text = TARGET.problem(target) if isinstance(target, str) else not_a_string(target)
        if text:
            lines.append(((place,), text))
        else:
            found[name] = target
    raise_all(lines)
    return found


_NAMED: dict[str, Any] = {"type": "string", "pattern": f"^{NAME.pattern}$", "maxLength": NAME.longest}
_TARGET: dict[str, Any] = {"type": "string", "pattern": f"^{TARGET.pattern}$", "maxLength": TARGET.longest}
Groups = Annotated[
    dict[str, str],
    PlainValidator(_groups),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": _NAMED, "uniqueItems": True},
                {"type": "object", "propertyNames": _NAMED, "additionalProperties": _TARGET},
            ]
        }
    ),
]


class StepLimits(Strict):
    """Seconds that a step may take on a node; then it is ended there."""

    prefetch: Seconds = 4 * HOUR
    """Images and package files; a pull has pulls:stall_timeout besides."""
    drain: Seconds = DAY
    """Workloads leave the node; each migration has a limit of its own besides."""
    apply: Seconds = 4 * HOUR
    """The node state of a stage. It is asked to end after what it does at the moment, then it is ended."""
    minion: Seconds = HOUR
    """The node's salt-minion is renewed."""
    reboot: Seconds = 4 * HOUR
    """The node is rebooted, and its clusters are whole again; system:reboot_timeout is part of it."""
    heartbeat: Seconds = HOUR // 12
    """Agents that are packages tell OpenStack of themselves again."""
    verify: Seconds = HOUR // 4
    """The node is measured."""
    restore: Seconds = DAY
    """Workloads come back."""
    hooks: Seconds = DAY
    """The hooks of one moment; each has a timeout of its own besides."""

    @classmethod
    def key(cls, step: str) -> str:
        """The key that limits a step (its name, or a moment of hooks)."""
        return step if step in _LIMITED else "hooks"

    def of(self, step: str) -> float:
        """The seconds that a step (its name, or a moment of hooks) may take."""
        return float(getattr(self, self.key(step)))


_LIMITED = frozenset(StepLimits.model_fields)  # asked for every step of every node


class Policy(Strict):
    """How the nodes of a role are updated."""

    batch: Batch = 1
    """Nodes in flight together: a number, or a percentage of the role's nodes."""
    batch_undisturbing: Batch = "10%"
    """The same where nothing is disturbed, if it is more than batch: while images and packages are fetched,
    in ovs without ovs:reload, in system without system:reboot; not where nodes are drained, hooks run, or
    nobody can tell. Of a percentage five nodes at least."""
    max_failures: Failures = 0
    """Nodes that may fail before no other node starts and the run pauses: a number, or a percentage of the
    role's nodes, rounded down. With on_failure: quarantine, 10% (and one at least) where nothing is said."""
    on_failure: Literal["pause", "quarantine", "rollback"] = "pause"
    """What becomes of a node that failed, within max_failures. pause: it is left out, and the run ends as
    incomplete. quarantine: it is set aside, drained if it was, and the run ends as completed with open
    ends. rollback: as pause; but canaries that fail, or their soak, go back by what the stage moved, and the
    run has ended."""
    canary: Nodes = 0
    """Nodes that go first, alone, and have to succeed before the rest starts."""
    soak: Pause = 0
    """Seconds to wait after the canaries."""
    per_zone: Nodes = 0
    """Nodes in flight in one zone; 0 is no limit."""
    groups: Groups = {}
    """Racks, zones or sites, one complete in a stage before the next begins, in this order: zones by their
    names, or names with compound targets. Nodes of none of them go last."""
    pause_after: Literal["group"] | None = None
    """Whether the run stops between two groups, until it is told to go on (rollout.resume)."""
    group_max_failures: dict[str, Failures] = {}
    """Nodes of one of its groups that may fail, by the group's name: a number, or a percentage of the group's
    nodes, rounded down. max_failures counts for the role as a whole beside it."""
    drain: str = NO_DRAIN
    """How workloads leave a node before it is touched."""
    silence: Seconds = 60
    """Seconds without a sign of life after which a node counts as lost."""
    retries: Retries = 3
    """How often a step is taken again on a node that failed for what passes by itself: a registry, package
    repository or API that does not answer, a lock of the package manager."""
    retry_delay: Seconds = 30
    """Seconds until it is taken again; twice as many each time, and as many as the server asks for."""
    limits: StepLimits = StepLimits()
    """Seconds that each step may take."""
    bare_metal_timeout: Pause = 1800
    """Seconds in which the work that a node's Ironic conductor is at may end, before it is stopped; 0: Ironic
    is not asked."""
    work_timeout: Pause = 1800
    """Seconds in which what a node's Octavia worker, cinder-volume or cinder-backup works on may end, before
    it is stopped; 0: they are not asked. Nor are they where no drain speaks to OpenStack."""
    confirm: Literal["never", "stage", "role", "wave", "node"] = "never"
    """Before what of these nodes a run waits for an operator's yes (rollout.confirm)."""
    window: Window | None = None
    """When its nodes may be touched, in place of openstack:window; the blackout dates of that stay."""
    group_windows: dict[str, Window] = {}
    """When the nodes of one of its groups may be touched, by the group's name, in place of window."""
    gates: Gates = {}
    """What has to hold before one of these nodes goes, as Prometheus and Alertmanager see it, by name: asked
    before the run, before each wave, and during a soak."""
    alert_silences: Silences = {}
    """Alerts that are silenced for each of these nodes while it is in flight, by name."""
    reboot_occupied: bool = False
    """Whether a node may be rebooted that was neither drained nor is empty."""

    _of: int = PrivateAttr(default=0)
    _of_groups: Mapping[str, int] = PrivateAttr(default={})

    @model_validator(mode="after")
    def _of_known_groups(self) -> Self:
        lines: list[tuple[Path, str]] = []
        for key in ("group_windows", "group_max_failures"):
            for name in (one for one in getattr(self, key) if one not in self.groups):
                near = suggestion(name, self.groups) or ", name it in groups"
                lines.append(((key, name), f"is no group of this role{near}"))
        raise_all(lines)
        return self

    def for_nodes(self, count: int, of_groups: Mapping[str, int] | None = None) -> Self:
        """The same, of a role that has so many nodes. of_groups: name → how many nodes a group of it has."""
        found = self.model_copy()
        found._of = count
        found._of_groups = of_groups or {}
        return found

    @property
    def tolerated(self) -> int:
        """How many of the role's nodes may fail (see for_nodes)."""
        if self.on_failure == "quarantine" and "max_failures" not in self.model_fields_set:
            return max(1, part_of(SET_ASIDE, self._of))
        return part_of(self.max_failures, self._of)

    def undisturbed_together(self, count: int) -> int:
        """How many of count nodes may be in flight where nothing is disturbed; never fewer than elsewhere."""
        wide = batch_size(self.batch_undisturbing, count, UNDISTURBED_TOGETHER)
        return max(batch_size(self.batch, count), wide)

    @property
    def tolerated_of_groups(self) -> dict[str, int]:
        """How many nodes of a group may fail, of those groups that have a threshold (see for_nodes)."""
        said = self.group_max_failures
        return {name: part_of(value, self._of_groups.get(name, 0)) for name, value in said.items()}

    @property
    def drains_before(self) -> frozenset[str] | None:
        """The stages before which the operator wants nodes drained, None: those that disturb."""
        wanted = getattr(self, "drain_before", None)
        return None if wanted is None else frozenset(wanted)


class ControllerPolicy(Policy):
    """How controllers are updated: one at a time."""

    batch: One = 1
    """Controllers in flight together: always one."""
    batch_undisturbing: One = 1
    """One, too."""
    on_failure: Literal["pause", "rollback"] = "pause"
    """What becomes of a controller that failed: the run pauses; the others are needed. rollback: a canary
    goes back, as elsewhere."""
    drain: Literal["none", "standby"] = "none"
    """How workloads leave a controller: none, or standby of Pacemaker."""


class GatewayPolicy(Policy):
    """How gateways are updated, and how routers leave them."""

    drain: Literal["none", "ovn_failover", "move_routers"] = "none"
    """How workloads leave a gateway: none, ovn_failover (its ports go to another chassis), move_routers."""
    router_timeout: Seconds = 60
    """Seconds until a moved router is active."""
    routers_at_once: Count = 2
    """Routers moved together; an agent builds one after the other, more only keep Neutron waiting."""
    return_timeout: Seconds = 300
    """Seconds for the agents to be alive again."""
    drain_before: list[Stage] | None = None
    """The stages before which gateways are drained; by default those that disturb them. ovn_failover drains
    before ovs and system, whatever this says."""


class ComputePolicy(Policy):
    """How computes are updated, and how servers leave them."""

    drain: Literal["none", "require_empty", "live_migrate"] = "none"
    """How workloads leave a compute: none, require_empty, live_migrate."""
    unmovable: Literal["fail", "skip", "cold", "leave"] = "fail"
    """What becomes of a node with a server that cannot move: fail, skip the node, cold migrate, leave it."""
    migrate_back: bool = False
    """Whether servers come back to the node they left."""
    on_timeout: Literal["abort", "force_complete"] = "abort"
    """What becomes of a migration that takes too long."""
    timeout_per_gib: Seconds = 120
    """Seconds that a migration may take for each GiB of memory."""
    large_memory_gib: Gib = 64
    """GiB of memory from which on a server is reported."""
    leave_zone: bool = False
    """Whether servers may leave their availability zone where Nova does not tell which are pinned: before
    OpenStack 2024.1."""
    migrations_per_host: Count = 2
    """Migrations at a time from one node."""
    migrations_per_cloud: Count = 4
    """Migrations at a time in the whole cloud."""
    return_timeout: Seconds = 300
    """Seconds for nova-compute to be up again."""
    drain_before: list[Stage] | None = None
    """The stages before which computes are drained; by default those that disturb them."""


class StoragePolicy(Policy):
    """How storage nodes are updated."""

    drain: Literal["none", "ceph"] = "none"
    """How a storage node is taken down: none, ceph (Ceph has its daemons stop, and is whole again after)."""
    return_timeout: Seconds = 600
    """Seconds for Ceph to be whole again, from when its recovery moved last."""


class Policies(Strict):
    """How each role is updated."""

    controller: ControllerPolicy = ControllerPolicy()
    """Of controllers."""
    gateway: GatewayPolicy = GatewayPolicy()
    """Of gateways."""
    compute: ComputePolicy = ComputePolicy()
    """Of computes."""
    storage: StoragePolicy = StoragePolicy()
    """Of storage nodes."""

    _own: dict[str, Policy] = PrivateAttr(default={})

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        found = handler.resolve_ref_schema(handler(schema))
        kinds = [{"$ref": one["$ref"]} for one in found["properties"].values()]
        found["additionalProperties"] = {"anyOf": kinds}
        return found

    @classmethod
    def kind(cls, role: str) -> type[Policy]:
        """The class of the policy of a known role."""
        return type(cls.model_fields[role].default)

    def with_own(self, own: Mapping[str, Policy]) -> Policies:
        """The same, with the policies of the operator's own roles."""
        found = self.model_copy()
        found._own = dict(own)
        return found

    def of(self, role: str) -> Any:
        """The policy of a role. Raises KeyError for one of which nothing is declared."""
        return getattr(self, role) if role in ROLES else self._own[role]

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that have a policy: the known ones and the operator's own."""
        return (*ROLES, *self._own)

    @property
    def speak_to_openstack(self) -> bool:
        """Whether a drain of some role asks OpenStack's API."""
        return any(self.of(role).drain in CLOUD_DRAINS for role in self.roles)
