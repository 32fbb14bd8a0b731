"""container: how often the states of a job ask the node, counted in commands of the real modules."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from openstack_rollout.node import first_look, quadlet_generator, storage
from openstack_rollout.records import state_file
from tests.unit.loading import load

NAMES = [f"service_{number}" for number in range(14)]
OLD, NEW = "1" * 64, "2" * 64
HEALTH = {"command": ["/openstack/healthcheck"], "timeout": 9}


def image(name, identity):
    return f"registry.example/{name}@sha256:{identity}"


class Node:
    """podman and systemd of a node, as their commands answer; `ran` is what was run."""

    def __init__(self, tmp_path, context=None):
        self.ran, self.there, self.root = [], {}, tmp_path
        self.context = {} if context is None else context
        self.pids = iter(range(100, 1000))

    def functions(self):
        salt = {"cmd.run_all": self, "legacy_unit.present": lambda units: []}
        for room in ("podman", "quadlet", "unit_hold"):
            module = load("modules", room, salt=salt, context=self.context, pillar={})
            names = (name for name in vars(module) if not name.startswith("_"))
            salt |= {f"{room}.{name}": vars(module)[name] for name in names if callable(vars(module)[name])}
            if room == "quadlet":
                module.FOLDER = self.root / "quadlets"
            if room == "unit_hold":
                module.FOLDER = self.root / "held"
        salt |= {f"pacemaker.{name}": lambda *_: None for name in ("pending", "undo", "progress")}
        salt |= {"pacemaker.before_stop": lambda name: {}, "pacemaker.after_start": lambda *_: ""}
        salt["podman.pull"] = lambda reference: reference
        return salt

    def state(self, test=False):
        return load("states", "container", salt=self.functions(), opts={"test": test})

    def converge(self, identity, guard="none", **how):
        """What the states of a stage answer, one for each container."""
        state = self.state(**how)
        return [state.running(name, image(name, identity), health=HEALTH, guard=guard) for name in NAMES]

    def __call__(self, command, **_):
        self.ran.append(command)
        words = [word for word in command if not word.startswith("--")]
        answer = getattr(self, "_" + "_".join(words[:2]).replace("-", "_"), lambda *_: "")(words[2:])
        return {"retcode": 0, "stdout": answer, "stderr": ""}

    def counted(self):
        """How often each command ran since the last question."""
        found = Counter(
            " ".join([*command[:2], *command[2:3][: command[1] == "container"]]) for command in self.ran
        )
        self.ran.clear()
        return found

    def _podman_ps(self, _):
        return json.dumps([{"Names": [name]} for name in self.there])

    def _podman_images(self, _):
        return json.dumps(
            [
                {"Id": identity + name, "RepoDigests": [image(name, identity)]}
                for name in NAMES
                for identity in (OLD, NEW)
            ]
        )

    def _podman_info(self, _):
        return json.dumps({"store": {"graphRoot": str(self.root)}})

    def _podman_image(self, words):
        name, identity = re.search(r"/(\w+)@sha256:(\w+)", words[-1]).groups()
        if words[:2] == ["inspect", "{{.Id}}"]:
            return f"sha256:{identity}{name}\n"
        return "[{}]" if words[0] == "inspect" else str(self.root)

    def _podman_container(self, words):
        return json.dumps([self.there[name] for name in words[1:] if name in self.there])

    def _systemctl_restart(self, words):
        name = words[0].removesuffix(".service")
        text = (self.root / f"quadlets/{name}.container").read_text()
        label = re.search(r"^Label=(.*?)=(.*)$", text, re.M)
        identity = re.search(r"@sha256:(\w+)$", text, re.M)[1]
        pid = next(self.pids)
        if before := self.there.get(name):
            (self.root / str(before["State"]["Pid"]) / "stat").unlink(missing_ok=True)
        (self.root / str(pid)).mkdir()
        (self.root / str(pid) / "stat").write_text(f"{pid} (run) S {'0 ' * 18}{pid} 0\n")
        self.there[name] = {
            "Name": name,
            "Id": str(pid),
            "Image": identity + name,
            "State": {"Running": True, "Pid": pid, "Health": {"Status": "healthy"}},
            "Config": {"Labels": {label[1]: label[2]}, "Healthcheck": {"Test": ["CMD", "true"]}},
        }
        return ""

    def _systemctl_show(self, words):
        return "ActiveState=active\nSubState=running\nNRestarts=0\nLoadState=loaded\n"


@pytest.fixture
def node(tmp_path, monkeypatch):
    monkeypatch.setattr(first_look, "_PROC", tmp_path)
    monkeypatch.setattr(quadlet_generator, "unit_of", lambda *arguments: "")
    monkeypatch.setattr(storage, "require_writable", lambda: None)
    monkeypatch.setattr(storage, "require_room", lambda *_: None)
    found = Node(tmp_path)
    assert all(answer["result"] for answer in found.converge(OLD))
    found.context.clear()  # the next job
    found.ran.clear()
    return found


@pytest.mark.parametrize("test", [True, False])
def test_a_job_that_finds_nothing_to_do_asks_podman_once(node, test):
    answers = node.converge(OLD, test=test)
    assert [(answer["result"], answer["changes"]) for answer in answers] == [(True, {})] * len(NAMES)
    assert node.counted() == {"podman ps": 1, "podman container inspect": 1, "podman images": 1}


def test_a_job_that_changes_all_asks_once_and_then_of_the_one_that_changed(node):
    answers = node.converge(NEW)
    assert all(answer["result"] and answer["changes"] for answer in answers)
    counted, n = node.counted(), len(NAMES)
    # One inspection of all; then one for the proof of each: which image it runs.
    assert counted["podman ps"] == 1 and counted["podman container inspect"] == 1 + n
    assert counted["podman info"] == counted["podman images"] == 1
    assert counted["systemctl restart"] == n
    assert {one["Image"] for one in node.there.values()} == {NEW + name for name in NAMES}


@pytest.mark.parametrize("guard", ["none", "pacemaker"])
def test_systemd_reads_its_units_again_only_where_one_was_written(node, guard):
    node.converge(OLD, guard=guard)
    assert not node.counted()["systemctl daemon-reload"]
    node.converge(NEW, guard=guard)
    assert node.counted()["systemctl daemon-reload"] == len(NAMES)


def test_a_unit_that_is_held_costs_systemd_one_reading_more(node):
    state = node.state()
    hold, salt = [], state.__salt__
    salt["ovn_controller.before_stop"] = lambda name, held: hold.append(held())
    salt |= {f"ovn_controller.{name}": lambda *_: None for name in ("pending", "progress", "undo")}
    salt["ovn_controller.after_start"] = lambda *_: ""
    answer = state.running(NAMES[0], image(NAMES[0], NEW), health=HEALTH, guard="ovn_controller")
    assert answer["result"] is True and hold and not list((node.root / "held").rglob("*.conf"))
    lines = [" ".join(command[:2]) for command in node.ran if command[0] == "systemctl"]
    assert lines.count("systemctl daemon-reload") == 2
    # The hold is over by the last of them.
    assert lines.index("systemctl restart") > max(i for i, one in enumerate(lines) if one.endswith("reload"))


def test_a_hold_is_over_for_systemd_too_when_the_next_container_cannot_be_written(node, monkeypatch):
    state = node.state()
    state.__salt__["ovn_controller.before_stop"] = lambda name, held: held()
    state.__salt__ |= {f"ovn_controller.{name}": lambda *_: None for name in ("pending", "progress", "undo")}
    state.__salt__["ovn_controller.after_start"] = lambda *_: ""
    monkeypatch.setattr(state_file, "replace", full)
    answer = state.running(NAMES[0], image(NAMES[0], NEW), health=HEALTH, guard="ovn_controller")
    assert answer["result"] is False and not list((node.root / "held").rglob("*.conf"))
    assert [" ".join(command) for command in node.ran].count("systemctl daemon-reload") == 2


def full(*_):
    raise OSError(28, "No space left on device")


def test_a_container_that_dies_while_others_change_is_seen(node):
    state = node.state()
    assert not state.running(NAMES[0], image(NAMES[0], OLD), health=HEALTH)["changes"]
    dead = node.there[NAMES[1]]
    (node.root / str(dead["State"]["Pid"]) / "stat").unlink()
    dead["State"] = {"Running": False, "Pid": 0, "ExitCode": 1}
    assert state.running(NAMES[1], image(NAMES[1], OLD), health=HEALTH)["changes"]
    assert node.there[NAMES[1]]["State"]["Running"]


def test_a_unit_that_goes_on_running_the_old_image_is_no_success_whatever_is_known(node, monkeypatch):
    state = node.state()
    monkeypatch.setattr(node, "_systemctl_restart", lambda words: "")
    answer = state.running(NAMES[0], image(NAMES[0], NEW), health=HEALTH, on_failure="leave")
    assert answer["result"] is False and answer["reason"] == "NOT_AT_RELEASE"
