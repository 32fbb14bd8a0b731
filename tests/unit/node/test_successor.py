"""successor: what a replacement that was killed finds when its container's deployer came back meanwhile."""

from __future__ import annotations

import json

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import successor, unit_stop
from openstack_rollout.node.errors import NodeError

UNIT = "tripleo_keystone.service"
TOKEN = {"unit": UNIT, "previous": "old", "next": "new", "ran": True}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(unit_stop, "FOLDER", tmp_path)


@pytest.mark.parametrize("kept", [{}, {"keystone-previous": {"id": "old", "running": False}}])
def test_a_container_that_its_deployer_made_anew_is_not_stopped(kept):
    did = []
    salt = {
        "podman.containers": lambda: {"keystone": {"id": "anew", "running": True}, **kept},
        **{
            name: lambda *arguments, name=name: did.append(name)
            for name in ("quadlet.stop", "quadlet.restart", "podman.rename", "podman.remove")
        },
    }
    with pytest.raises(CommandExecutionError, match="made anew by somebody else"):
        successor.put_back(salt, "keystone", TOKEN)
    assert did == []


class Podman:
    """What `prepare` and `replace` ask of podman and systemd; `did` is what was done, in order."""

    def __init__(self, active="active", **others):
        self.did, self.active, self.listed = [], active, 0
        one = {"id": "old", "running": True, "started": True}
        self.there = {"keystone": one, **others}
        self.inspected = [{"Mounts": [{"Type": "volume", "Name": "f" * 64, "Destination": "/data"}]}]
        self.salt = {
            "podman.containers": self._all,
            "podman.container": self.there.get,
            "podman.definition": lambda name, key="": {"key": "k", "values": {}},
            "podman.rename": lambda one, name: self.did.append(f"rename {one} {name}"),
            "podman.remove": lambda one: self.did.append(f"remove {one}"),
            "cmd.run_all": self._run,
            **{
                f"quadlet.{name}": lambda *_, name=name: self.did.append(name)
                for name in ("stop", "restart", "reload")
            },
        }

    def _all(self):
        self.listed += 1
        return self.there

    def _run(self, command, **_):
        answer = ""
        if command[:2] == ["systemctl", "is-active"]:
            answer = self.active
        elif command[:2] == ["systemctl", "cat"]:
            answer = "[Service]\nExecStop=/bin/leave\n"
        elif "inspect" in command:
            answer = json.dumps(self.inspected)
        else:
            self.did.append(" ".join(command))
            self.there["keystone-next"] = {"id": "new", "running": False, "started": False}
        return {"retcode": 0, "stdout": answer, "stderr": ""}

    def prepare(self):
        return successor.prepare(
            self.salt, "keystone", UNIT, lambda name: ["create", f"--name={name}", "image"]
        )


def test_a_volume_that_nobody_named_stays_with_its_container():
    podman = Podman()
    assert podman.prepare()["next"] == "new" and podman.listed == 1
    assert podman.did == [f"podman create --volume={'f' * 64}:/data --name=keystone-next image"]


@pytest.mark.parametrize(
    ("active", "others", "said"),
    [
        ("inactive", {}, "keystone runs, but tripleo_keystone.service is inactive"),
        (
            "active",
            {"keystone-next": {"id": "f", "running": False, "started": True}},
            "keystone-next is in the way",
        ),
        (
            "active",
            {"keystone-previous": {"id": "f", "running": False, "started": True}},
            "-previous is in the way",
        ),
    ],
)
def test_what_would_end_badly_is_refused_before_anything_is_made(active, others, said):
    podman = Podman(active, **others)
    with pytest.raises(NodeError, match=f"^DEFINITION_REFUSED: .*{said}"):
        podman.prepare()
    assert podman.did == []


def test_a_unit_that_does_not_stop_its_container_gets_no_second_one(monkeypatch):
    podman = Podman()
    with pytest.raises(CommandExecutionError, match="did not stop the keystone"):
        successor.replace(podman.salt, "keystone", TOKEN)
    assert podman.did == ["stop"] and podman.listed == 0
