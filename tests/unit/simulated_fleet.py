"""A cloud that exists in memory: the engine's own code drives thousands of nodes through hours in a second.

Time is virtual: poll moves the clock to the next job's end. Faults are set per node: {step: what happens},
where what happens is a named failure, "silent" (never answers again), "hang" (lives and never ends) or "lie"
(the step succeeds and changes nothing).
"""

from __future__ import annotations

import functools
import hashlib
import heapq
import itertools
import json
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch

import pytest

from openstack_rollout.declared import facts
from openstack_rollout.declared.kept import Kept
from openstack_rollout.declared.model import Model
from openstack_rollout.drains.kinds import Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.lock import FileLock
from openstack_rollout.rollout import in_force, tags
from openstack_rollout.rollout.asking import Given
from openstack_rollout.rollout.fleet import Answers, NothingDue, StepResult
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.rollout.reboots import Reboots
from openstack_rollout.rollout.rollback import Asked, Rollback
from openstack_rollout.rollout.run import Rollout
from tests import flights
from tests.unit.cloud_pillar import QUIET

STAGES_OF = {
    "controller": ("ovn", "control_plane", "ovs", "system"),
    "gateway": ("ovn", "services", "ovs", "system"),
    "compute": ("ovn", "services", "ovs", "system"),
    "storage": ("services", "ovs", "system"),
    # Of the operator's own; only a cloud that has nodes of them declares them.
    "database": ("control_plane", "ovs", "system"),
    "network": ("ovn", "services", "ovs", "system"),
    "monitoring": ("services", "ovs", "system"),
}
OWN_ROLES = {
    "monitoring": {"plane": "data_plane"},
    "database": {"plane": "control_plane"},
    "network": {"plane": "data_plane", "like": "gateway"},
}
# Stages that move containers, each one of its own name; the others move a package of theirs.
CONTAINERS = ("ovn", "control_plane", "services")
PACKAGES = {"ovs": "openvswitch", "system": "bash"}
DRAIN = "live_migrate"  # what the simulated drain of computes is called in the pillar
NEWEST = "newest"  # what repositories have
VERSIONS = ("1.0.0", "1.0.1", "1.0.2")


def digest(stage, version):
    """The digest of a stage's image at a release."""
    return f"sha256:{hashlib.sha256(f'{stage} {version}'.encode()).hexdigest()}"


def pillar(target, roles):
    """A small pillar: a service a stage, three releases."""
    return {
        "target_version": target,
        "roles": {
            role: {"target": f"{role}*", **OWN_ROLES[role]} if role in OWN_ROLES else f"{role}*"
            for role in roles
        },
        "zones": {},
        "service_defaults": {"definition": "declared", "start": "image"},
        "service_types": {
            stage: {
                "image": f"{stage}_image",
                "container": stage,
                "roles": [
                    role
                    for role, stages in STAGES_OF.items()
                    if stage in stages and (role in roles or role not in OWN_ROLES)
                ],
                "stage": stage,
                "enabled": True,
            }
            for stage in CONTAINERS
        },
        "releases": {
            version: {
                "images": {
                    f"{stage}_image": f"registry.example/{stage}@{digest(stage, version)}"
                    for stage in CONTAINERS
                },
                "packages": dict.fromkeys(PACKAGES.values(), version),
            }
            for version in VERSIONS
        },
        "policies": {},
    }


def containers_at(at):
    """What a node tells of its containers, by their stages' versions."""
    return {
        stage: {
            "running": True,
            "healthy": True,
            "image_id": version,
            "digests": [digest(stage, version)],
            "labels": {},
            "unit": f"{stage}.service",
        }
        for stage, version in at.items()
        if stage in CONTAINERS
    }


@functools.lru_cache(maxsize=4)
def _content_of(openstack):
    return Model.model_validate(json.loads(openstack)).content


class MemoryStore:
    """salt.cache in a dictionary; values pass through JSON, as they pass through a serializer in Salt."""

    def __init__(self):
        self.banks = {}
        self.full = False

    def store(self, bank, key, data):
        if self.full:
            raise RolloutError("JOURNAL_FAILED", f"{bank}/{key}: no space left on device")
        self.banks.setdefault(bank, {})[key] = json.dumps(data)

    def fetch(self, bank, key):
        return json.loads(self.banks.get(bank, {}).get(key, "{}"))

    def list(self, bank):
        return list(self.banks.get(bank, {}))

    def flush(self, bank, key=None):
        if key is None:
            self.banks.pop(bank, None)
        else:
            self.banks.get(bank, {}).pop(key, None)


@dataclass
class SimulatedNode:
    role: str
    zone: str | None = None
    at: dict = field(default_factory=dict)  # stage -> version
    faults: dict = field(default_factory=dict)
    silent: bool = False
    health: list = field(default_factory=list)
    boot_id: str = ""  # in which failures are looked into
    seconds: float | None = None  # that a step takes; None: as long as on the others
    wait: dict | None = None  # what it tells of its chassis' wait


class Cloud:
    """Nodes, the time that passes, and every event that was fired."""

    def __init__(self, deployed="1.0.0", target="1.0.1", seconds=30.0, **nodes):
        """nodes: role=number, e.g. compute=4; zones az1 and az2 take turns."""
        self.now = 1_000_000.0
        self.stepped = 0.0  # seconds by which somebody set the master's clock
        self.seconds = seconds
        self.boots = {}  # what nodes tell of their next boot
        self.events = []
        self.applied = []
        self.questioned = []  # nodes that were asked for their facts beside a step, once for each time
        self.keys = {}
        self.unread = []  # nodes of which the master keeps no grains
        self.ended = []
        self.nodes = {}
        self.openstack = pillar(target, nodes)
        self.journal = None  # of the master, whose rollback in force nodes' shares know
        for role, count in nodes.items():
            for number in range(1, count + 1):
                node = SimulatedNode(
                    role, f"az{(number + 1) % 2 + 1}", dict.fromkeys(STAGES_OF[role], deployed)
                )
                self.nodes[f"{role}{number}"] = node
        zones = sorted({node.zone for node in self.nodes.values()})
        self.openstack["zones"] = {zone: f"G@zone:{zone}" for zone in zones}

    def clock(self):
        """The master's time of day."""
        return self.now + self.stepped

    @property
    def target(self):
        return self.openstack["target_version"]

    def policy(self, role, **settings):
        self.openstack["policies"][role] = settings

    def hotfix(self):
        """Have a custom image, of a service that runs on no node."""
        self.openstack["service_types"]["glance"] = {
            "image": "glance_image",
            "container": "glance_api",
            "roles": ["controller"],
            "stage": "control_plane",
        }
        self.openstack["custom_images"] = {"glance_image": f"registry.example/glance@sha256:{'f' * 64}"}

    @property
    def content(self):
        """Stage -> the fingerprint of what is declared now."""
        return _content_of(json.dumps(self.openstack))

    @property
    def model(self):
        """What is declared now."""
        return Model.model_validate(self.openstack)

    def wanted(self, name, stage):
        """What a node's share wants of a stage: a version."""
        rollback = self.journal and in_force.of_node(self.model, self.journal, name)
        if not rollback:
            return self.target or NEWEST
        back = rollback.node
        assert back and stage in back["stages"], f"{name} was to be left alone in {stage}"
        if stage in PACKAGES:
            return back["packages"].get(PACKAGES[stage], self.nodes[name].at[stage])
        found = back["images"][stage]
        return next(one for one in VERSIONS if found.endswith(digest(stage, one)))

    def facts_of(self, name):
        """What a node tells."""
        node = self.nodes[name]
        containers = containers_at(node.at)
        return {
            "schema": facts.SCHEMA,
            "id": name,
            "target": self.target,
            "roles": [node.role],
            "os_family": "RedHat",
            "boot_id": node.boot_id,
            "containers": containers,
            "managed": list(containers),
            "carried": {},
            "packaged": {},
            "images": [],
            "packages": {
                PACKAGES[stage]: [version] for stage, version in node.at.items() if stage in PACKAGES
            },
            **QUIET,
            # Without a release the repositories alone say what there is to do.
            "newer": {} if self.target or node.at["system"] == NEWEST else {"upgrade": {"bash": NEWEST}},
            "datapath": list(node.health),
            "next_boot": self.boots.get(name),
            "ovn_wait": node.wait,
        }

    def statuses(self, step, status="started", stage=None):
        """Node ids in the order in which events told of a step."""
        return [
            data["node"]
            for tag, data in self.events
            if data["step"] == step and data["status"] == status and stage in (None, data["stage"])
        ]

    def most_in_flight(self, role):
        return max((data["in_flight"] for _, data in self.events if data.get("role") == role), default=0)

    def flown(self):
        """The events of nodes, with the names of those in flight of the role."""
        return flights.named(data for _, data in self.events)


class SimulatedFleet:
    """fleet.Fleet over a Cloud. A fleet object is one master's process: throw it away and the jobs go on."""

    _jobs = itertools.count(1)

    def __init__(self, master: Master):
        self.cloud = master.cloud
        self._master = master
        self._ends = []

    def members(self, target):
        """Globs and G@zone:…, joined by `or`."""
        words = target.split(" or ")
        return [
            name
            for name, node in self.cloud.nodes.items()
            if any(word == f"G@zone:{node.zone}" or fnmatch(name, word) for word in words)
        ]

    def unread(self, target, nodes):
        return [node for node in nodes if "not G@" in target and node in self.cloud.unread]

    def keys(self):
        return self.cloud.keys

    def facts(self, silences, refresh=False, halted=lambda: None):
        asked = list(silences)
        self.cloud.questioned += asked
        silent = [name for name in asked if self.cloud.nodes[name].silent]
        self.cloud.now += max((silences[name] for name in silent), default=2)
        facts = {name: self.cloud.facts_of(name) for name in asked if name not in silent}
        return Answers(
            facts,
            {name: ("NODE_SILENT", f"no sign of life for {silences[name]:.0f} s") for name in silent},
        )

    def new_job(self):
        return f"job{next(self._jobs)}"

    def start(self, node, step, stage, jid, silence, *, context):
        state = self.cloud.nodes[node]
        if self.cloud.target != context.target and step != "verify":
            message = f"openstack:target_version is {self.cloud.target}, the run is for {context.target}"
            self._push(1.0, StepResult(node, jid, False, "TARGET_CHANGED", message))
            return
        now = self._master.content()
        if any(now[name] != found for name, found in context.content.items()) and step != "verify":
            self._push(1.0, StepResult(node, jid, False, "TARGET_CHANGED", "edited since the run began"))
            return
        fault = state.faults.get(step) or state.faults.get(f"{stage}/{step}")
        if fault == "silent":
            state.silent = True
        if state.silent:
            lost = StepResult(node, jid, False, "NODE_SILENT", f"no sign of life for {silence:.0f} s")
            self._push(silence, lost)
            return
        if fault == "hang":
            return
        if fault and fault != "lie":
            self._push(self.cloud.seconds, StepResult(node, jid, False, fault, f"{fault}: simulated"))
            return
        seconds = state.seconds or self.cloud.seconds
        if step == "apply":
            self.cloud.applied.append((stage, node))
            if fault != "lie":
                state.at[stage] = self.cloud.wanted(node, stage)
        self._push(1.0 if step == "verify" else seconds, StepResult(node, jid, True))

    def adopt(self, node, step, stage, jid, silence):
        self._push(5.0, StepResult(node, jid, True))

    def end(self, node, step, jid):
        self.cloud.ended.append((node, step, jid))
        self._ends = [one for one in self._ends if one[2].jid != jid]
        heapq.heapify(self._ends)
        self._push(1.0, StepResult(node, jid, False, "STEP_TIMEOUT", "it was ended"))

    def poll(self, seconds):
        self._master.before_poll()
        if not self._ends or self._ends[0][0] > self.cloud.now + seconds:
            self.cloud.now += seconds
            return []
        ended = []
        self.cloud.now = max(self.cloud.now, self._ends[0][0])
        while self._ends and self._ends[0][0] <= self.cloud.now:
            ended_now = heapq.heappop(self._ends)[2]
            # A verify answers with what is true when it ends.
            data = self.cloud.facts_of(ended_now.node) if ended_now.succeeded else {}
            ended.append(replace(ended_now, data=data))
        return ended

    def announce(self, tag, data):
        self.cloud.events.append((tag, data))

    def _push(self, seconds, outcome):
        heapq.heappush(self._ends, (self.cloud.now + seconds, next(self._jobs), outcome))


class SimulatedDrain:
    """drain.Drain over a Cloud: workloads are names, away is where a node's are while it is drained.

    faults: {node: {"drain" or "restore": an exception to raise half way}}. log: what was done, in order. A
    test may call `pause()` in the middle of every move.
    """

    stages = frozenset({"ovs", "system"})

    def __init__(self, cloud):
        self.log = []
        self.faults = {}
        self.spare = 99
        self.unable = None
        self.pause = lambda step, node: None
        self.lives = {node: [f"{node}-a", f"{node}-b"] for node in cloud.nodes}
        self._cloud = cloud

    def refuse(self, nodes):
        self.log.append(("refuse", tuple(nodes)))
        if self.unable:
            raise self.unable

    def capacity(self, nodes):
        return min(self.spare, len(nodes))

    def drain(self, node, record):
        self.log.append(("drain", node))
        assert self._cloud.nodes[node].at["services"] == self._cloud.target
        moved = record.data.setdefault("moved", [])
        for workload in list(self.lives[node]):
            moved.append(workload)
            record.save()
            self.lives[node].remove(workload)
            self.pause("drain", node)
            self._fail(node, "drain")
        return f"{len(moved)} moved"

    def restore(self, node, record):
        self.log.append(("restore", node))
        moved = record.data.get("moved", [])
        for workload in moved:
            self._fail(node, "restore")
            if workload not in self.lives[node]:
                self.lives[node].append(workload)
            self.pause("restore", node)
        return f"{len(moved)} back"

    def _fail(self, node, step):
        fault = self.faults.get(node, {}).get(step)
        if fault:
            raise fault


class NoReboots(Reboots):
    """Nothing of Salt is ever due, no node needs a reboot, and every one answers."""

    def refuse_silent(self, node):
        pass

    def rebooted_since(self, node, boot_id, patience):
        raise AssertionError("nobody asked for that")

    def refuse_unready(self, node):
        pass

    def minion(self, node):
        return NothingDue("nothing of Salt was due")

    def reboot(self, node, role, drained, taken=()):
        return NothingDue("no reboot is needed")


class Killed(BaseException):
    """What no engine can catch."""


class Master:
    """A master of a cloud: journal and lock live on when its process (fleet) dies."""

    def __init__(self, cloud, folder):
        self.cloud = cloud
        self.store = MemoryStore()
        self.journal = cloud.journal = Journal(self.store, cloud.clock)
        self.lock = FileLock(folder / "lock")
        self.missing = []  # what the registry lacks
        self.tags = {}  # reference by tag -> its digest in the registry, or an error
        self.risks = lambda model, roles: {}
        self.verification = lambda model, computes, gateways: ""
        self.before_poll = lambda: None
        self.drain = SimulatedDrain(cloud)
        self.reboots = lambda model: NoReboots(model, None)
        self.told = {}  # what nodes tell of their way back, by node id

    def ports(self):
        return Ports(
            fleet=SimulatedFleet(self),
            journal=self.journal,
            lock=self.lock,
            pillar=lambda: in_force.turned(self.cloud.model, self.journal),
            content=self.content,
            digests=lambda wanted: {reference: self.tags[reference] for reference in wanted},
            registry=lambda images: self.missing,
            clock=self.cloud.clock,
            monotonic=lambda: self.cloud.now,
            verification=self.verification,
            reboots=self.reboots,
            risks=self.risks,
            drains=lambda model: Drains(model, None, {DRAIN: lambda *made_of: self.drain}),
            way_back=self.way_back,
        )

    def way_back(self, run, nodes):
        silent = {node: ("NODE_SILENT", "no answer") for node in nodes if self.cloud.nodes[node].silent}
        told = {
            node: Kept(**{"schema": 1, "known": True, **self.told.get(node, {})})
            for node in nodes
            if node not in silent
        }
        return told, silent

    def content(self):
        """What the shares of nodes are made of: with what the last run took for tags."""
        if not self.journal.tags():
            return self.cloud.content
        taken = tags.recorded(self.cloud.model, self.journal).custom_images
        return _content_of(json.dumps({**self.cloud.openstack, "custom_images": taken}))

    def rollout(self):
        return Rollout(self.ports())

    def roll_back(self, run=None, **asked):
        """What orch/rollback.sls does."""
        Rollback(self.ports()).begin(Asked(run, **asked))
        for stage in ("system", "ovs", "services", "control_plane", "ovn"):
            self.rollout().stage(stage)
        return self.rollout().finish()

    def dies_while(self, node, stage):
        """Run an update whose process dies while a node applies a stage."""

        def kill():
            if node in self.cloud.statuses("apply", stage=stage):
                self.before_poll = lambda: None
                raise Killed

        self.before_poll = kill
        with pytest.raises(Killed):
            self.update()

    def update(self, **given):
        """What orch/update.sls does: every step with a rollout of its own, in one process."""
        self.rollout().begin(given=Given(**given))
        for stage in ("ovn", "control_plane", "services", "ovs", "system"):
            self.rollout().stage(stage)
        return self.rollout().finish()

    @property
    def run(self):
        return self.journal.latest()


def refusal(action):
    """The RolloutError that the action raises, which fits one line."""
    with pytest.raises(RolloutError) as refused:
        action()
    assert "\n" not in str(refused.value)
    return refused.value
