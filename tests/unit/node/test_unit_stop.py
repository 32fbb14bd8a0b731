"""unit_stop: a unit stops its container by its id, whatever names it has."""

from __future__ import annotations

import types

import pytest

from openstack_rollout.node import unit_stop

UNIT = "tripleo_keystone.service"
TRIPLEO = """\
# /etc/systemd/system/tripleo_keystone.service
[Service]
Restart=always
ExecStart=/usr/bin/podman start keystone
ExecStop=-/usr/bin/podman exec keystone "sh -c 'leave'"
ExecStop=/usr/bin/podman stop -t 42 \\
  keystone
ExecStopPost=/usr/bin/podman stop -t 42 keystone
KillMode=control-group
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(unit_stop, "FOLDER", tmp_path)
    return tmp_path


def node(text):
    did = []
    salt = {
        "cmd.run_all": lambda command, **_: {"retcode": 0, "stdout": text, "stderr": ""},
        "quadlet.reload": lambda: did.append("reload"),
    }
    return types.SimpleNamespace(salt=salt, did=did)


def test_every_command_that_stops_it_names_the_id_and_its_options_stay(folder):
    machine = node(TRIPLEO)
    assert unit_stop.by_id(machine.salt, UNIT, "keystone", "c0ffee") is True
    assert (
        (folder / f"{UNIT}.d" / "zz-openstack-rollout-stop.conf").read_text()
        == """\
[Service]
ExecStop=
ExecStop=-/usr/bin/podman exec c0ffee "sh -c 'leave'"
ExecStop=/usr/bin/podman stop -t 42  c0ffee
ExecStopPost=
ExecStopPost=/usr/bin/podman stop -t 42 c0ffee
"""
    )
    unit_stop.forget(machine.salt, UNIT)
    assert machine.did == ["reload", "reload"] and not list(folder.iterdir())
    unit_stop.forget(machine.salt, UNIT)
    assert machine.did == ["reload", "reload"]


def test_it_comes_after_a_drop_in_of_systemctl_edit(folder):
    assert unit_stop.by_id(node(TRIPLEO).salt, UNIT, "keystone", "c0ffee")
    assert all(file.name > "override.conf" for file in folder.rglob("*.conf"))


def test_what_a_drop_in_takes_back_is_not_run():
    text = f"{TRIPLEO}\n[Service]\nExecStop=\nExecStop=/usr/bin/leave now\n"
    machine = node(text)
    assert unit_stop.by_id(machine.salt, UNIT, "keystone", "c0ffee") is False
    assert machine.did == []


@pytest.mark.parametrize(
    "command", ["/usr/bin/podman stop keystone_cron", "/usr/bin/podman stop my-keystone"]
)
def test_another_container_is_another_name(command):
    machine = node(f"[Service]\nExecStop={command}\n")
    assert unit_stop.by_id(machine.salt, UNIT, "keystone", "c0ffee") is False
