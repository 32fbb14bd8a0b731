"""pacemaker_bundle: this node's tag is moved and Pacemaker restarts this node's replica, nothing else."""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import carriers
from tests.unit.loading import Commands, load
from tests.unit.modules.guards import steps

TAG = "cluster.common.tag/haproxy:pcmklatest"
OLD, NEW, BROKEN = "registry/haproxy@sha256:1", "registry/haproxy@sha256:2", "registry/haproxy@sha256:bad"
BUNDLE, HERE = "haproxy-bundle", "haproxy-bundle-podman-1"


class Cluster(Commands):
    """Three nodes, seen from ctl1; Pacemaker runs the bundle's replicas as podman's tags say."""

    def __init__(self, places=("ctl2", "ctl1", "ctl3")):
        super().__init__()
        self.places = dict(enumerate(places))  # replica → node, None while it is stopped
        self.image, self.engine = TAG, "podman"
        self.managed, self.maintenance, self.answers_at_all = "true", "false", True
        self.online = {"ctl1": "true", "ctl2": "true", "ctl3": "true"}
        self.banned, self.failed = set(), set()
        self.tags = {TAG: OLD}
        self.container = {"image_id": OLD, "running": True, "image": TAG}
        self.did = []

    def functions(self):
        return {
            "cmd.run_all": self,
            "cmd.has_exec": lambda name: True,
            "podman.containers": lambda known: {HERE: dict(self.container)} if self.container else {},
            "podman.container": lambda name: dict(self.container) if self.container else None,
            "podman.image_ids": lambda names: {name: name for name in names if name in (OLD, NEW, BROKEN)},
            "podman.definition": lambda name: {"key": "k", "values": {}},
            "podman.tag": self.tag,
            "podman.tagged": lambda name: self.tags.get(name, ""),
            "podman.untag": lambda name: self.tags.pop(name, None),
        }

    def tag(self, image, name):
        self.did.append(f"{name} is {image}")
        self.tags[name] = image

    def __call__(self, command, **options):
        found = super().__call__(command, **options)
        if command[0] == "crm_mon":
            return found | ({"stdout": self._xml()} if self.answers_at_all else {"retcode": 102})
        if command[0] == "systemctl":
            return found | {"stdout": "enabled"}
        if command[0] == "crm_node":
            return found | {"stdout": "ctl1"}
        self._steer(command)
        return found

    def _steer(self, command):
        order, node = command[1], command[-1] if "--lifetime" not in command[-1] else command[-2]
        if order in ("--ban", "--clear", "--cleanup"):
            assert command[2:4] == ["--resource", BUNDLE]
            self.did.append(f"{order} {node}")
        if order == "--ban":
            self.banned.add(node)
            self._stop_on(node)
        if order == "--clear":
            self.banned.discard(node)
        if order == "--cleanup":
            self.failed.discard(node)
        if order == "--wait":
            self._start()

    def _stop_on(self, node):
        for number, place in self.places.items():
            if place == node:
                self.places[number] = None
                self.container = None if node == "ctl1" else self.container

    def _start(self):
        for number, place in self.places.items():
            free = [n for n in self.online if n not in {*self.banned, *self.failed, *self.places.values()}]
            if place is None and free:
                if free[0] == "ctl1" and self.tags[TAG] == BROKEN:
                    self.failed.add("ctl1")
                    continue
                self.places[number] = free[0]
                if free[0] == "ctl1":
                    self.container = {"image_id": self.tags[TAG], "running": True, "image": TAG}

    def _xml(self):
        nodes = "".join(
            f'<node name="{name}" online="{online}" standby="false" maintenance="false" pending="false"'
            ' unclean="false"/>'
            for name, online in self.online.items()
        )
        replicas = "".join(
            f'<replica id="{number}"><resource id="{BUNDLE}-podman-{number}" managed="true" failed="false"'
            f' resource_agent="ocf:heartbeat:podman" blocked="false" active="{str(bool(place)).lower()}">'
            + (f'<node name="{place}"/>' if place else "")
            + "</resource></replica>"
            for number, place in self.places.items()
        )
        bans = "".join(f'<ban id="b-{node}" resource="{BUNDLE}" node="{node}"/>' for node in self.banned)
        failure = (
            '<failure op_key="haproxy-bundle-podman-1_start_0" node="ctl1" task="start" exitreason="no"/>'
        )
        return (
            f'<pacemaker-result><summary><current_dc with_quorum="true"/><cluster_options'
            f' maintenance-mode="{self.maintenance}"/></summary><nodes>{nodes}</nodes><resources>'
            f'<bundle id="{BUNDLE}" type="{self.engine}" image="{self.image}" managed="{self.managed}">'
            f"{replicas}</bundle></resources><bans>{bans}</bans>"
            f"<failures>{failure if self.failed else ''}</failures></pacemaker-result>"
        )


def module_of(cluster, folder):
    module = load("modules", "pacemaker_bundle", salt=cluster.functions(), grains={"id": "ctl1"})
    module._STEPS = steps(folder)
    return module


def test_a_replica_of_this_node_is_carried_whatever_its_number(tmp_path):
    module = module_of(Cluster(), tmp_path)
    record = {"unit": "", "engine": "podman", "image": TAG, "journal": False, "bundle": BUNDLE}
    assert module.carried() == {HERE: record} and module.replica(BUNDLE) == HERE
    elsewhere = module_of(Cluster(["ctl2"]), tmp_path)
    assert elsewhere.carried() == {} and elsewhere.replica(BUNDLE) == ""


def test_a_pacemaker_that_is_silent_does_not_make_its_containers_somebody_elses(tmp_path):
    cluster = Cluster()
    cluster.answers_at_all = False
    module = module_of(cluster, tmp_path)
    assert module.carried()[HERE]["bundle"] == BUNDLE
    with pytest.raises(CommandExecutionError, match=r"^QUORUM_AT_RISK: Pacemaker of ctl1"):
        module.prepare(HERE, NEW)


def test_one_replica_is_restarted(tmp_path):
    cluster = Cluster()
    module = module_of(cluster, tmp_path)
    token = module.prepare(HERE, NEW)
    assert cluster.did == [] and token["held"] == []
    module.replace(HERE, token)
    assert cluster.container["image_id"] == NEW and cluster.places == {0: "ctl2", 1: "ctl1", 2: "ctl3"}
    assert cluster.did == [f"{TAG}-previous is {OLD}", f"{TAG} is {NEW}", "--ban ctl1", "--clear ctl1"]
    module.accept(HERE, token)
    assert cluster.tags == {TAG: NEW} and cluster.banned == set()


def test_the_only_replica_is_kept_from_moving(tmp_path):
    cluster = Cluster(["ctl2", "ctl1"])
    cluster.places = {1: "ctl1"}
    module = module_of(cluster, tmp_path)
    token = module.prepare(HERE, NEW)
    assert token["held"] == ["ctl2", "ctl3"]
    module.replace(HERE, token)
    assert cluster.places == {1: "ctl1"} and cluster.banned == set()
    assert cluster.did[2:5] == ["--ban ctl2", "--ban ctl3", "--ban ctl1"]


def test_an_image_that_exits_is_told_and_put_back(tmp_path):
    cluster = Cluster()
    module = module_of(cluster, tmp_path)
    token = module.prepare(HERE, BROKEN)
    with pytest.raises(CommandExecutionError, match=r"^CONTAINER_EXITED: .*podman-1_start_0 on ctl1: no"):
        module.replace(HERE, token)
    for _ in range(2):
        module.put_back(HERE, token)
        assert cluster.container["image_id"] == OLD and cluster.places[1] == "ctl1"
        assert cluster.tags == {TAG: OLD} and cluster.banned == set()


@pytest.mark.parametrize("killed_after", [1, 2, 3])
def test_a_run_that_died_is_taken_back(tmp_path, killed_after):
    cluster = Cluster()
    module = module_of(cluster, tmp_path)
    token = module.prepare(HERE, NEW)
    module._start = module._require_runs = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    if killed_after < 3:
        module._stop = module._start
    if killed_after < 2:
        module._hold = module._start
    with pytest.raises(KeyboardInterrupt):
        module.replace(HERE, token)
    module_of(cluster, tmp_path).put_back(HERE, token)
    assert cluster.container["image_id"] == OLD and cluster.tags == {TAG: OLD} and cluster.banned == set()


@pytest.mark.parametrize(("change", "said"), [
    (lambda c: setattr(c, "managed", "false"), "DEFINITION_REFUSED: .*unmanaged"),
    (lambda c: setattr(c, "maintenance", "true"), "DEFINITION_REFUSED: .*cluster is in maintenance mode"),
    (lambda c: setattr(c, "engine", "docker"), "DEFINITION_REFUSED: .*run by docker"),
    (lambda c: setattr(c, "image", OLD), "DEFINITION_REFUSED: .*by digest"),
    (lambda c: c.online.update(ctl3="false"), "QUORUM_AT_RISK: .*node ctl3 is offline"),
    (lambda c: c.places.update({2: None}), "QUORUM_AT_RISK: .*haproxy-bundle-podman-2 does not run"),
])  # fmt: skip
def test_what_pacemaker_may_not_restart_is_refused(tmp_path, change, said):
    cluster = Cluster()
    change(cluster)
    with pytest.raises(CommandExecutionError, match=rf"^{said}"):
        module_of(cluster, tmp_path).prepare(HERE, NEW)
    assert cluster.did == [] and cluster.container["image_id"] == OLD


def test_an_image_that_is_not_local_is_refused(tmp_path):
    cluster = Cluster()
    with pytest.raises(CommandExecutionError, match=r"^DEFINITION_REFUSED: registry/other"):
        module_of(cluster, tmp_path).prepare(HERE, "registry/other@sha256:9")
    assert cluster.did == []


def test_a_node_without_a_replica_tells_the_tag_that_one_would_start(tmp_path):
    cluster = Cluster(["ctl2"])
    module = module_of(cluster, tmp_path)
    assert module.spare_tag(BUNDLE) == TAG and module.spare_tag("other") == ""
    assert module_of(Cluster(), tmp_path).spare_tag(BUNDLE) == ""
    cluster.answers_at_all = False
    assert module.spare_tag(BUNDLE) == ""


def test_a_replica_that_docker_runs_is_nobody_elses(tmp_path):
    cluster = Cluster()
    cluster.engine = "docker"
    module = module_of(cluster, tmp_path)
    assert {one["engine"] for one in module.carried().values()} == {"docker_engine"}
    assert carriers.CARRIERS[0] == "pacemaker_bundle"
    salt = {"pacemaker_bundle.carried": module.carried}
    salt["docker_container.carried"] = lambda: {HERE: {"unit": ""}}
    assert carriers.carried(salt)[HERE]["carrier"] == "pacemaker_bundle"
