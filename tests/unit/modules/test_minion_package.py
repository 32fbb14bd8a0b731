"""minion_package: Salt's packages are due apart, move after the job, and their state outlives the minion."""

from __future__ import annotations

import json
import os
import sys

import pytest

from openstack_rollout.node import renew_minion
from tests.unit.loading import Commands, load

PLAN = {"upgrade": {"salt-minion": "3008.4-1", "lab-plain": "2"}}


@pytest.fixture
def node(tmp_path):
    def make(installed=("salt-minion",), family="RedHat", active="inactive", half=None):
        commands = Commands({"systemctl show": active})
        salt = {
            "cmd.run_all": commands,
            "package_set.installed": lambda: {name: ["3008.3-1"] for name in installed},
            "package_set.changes": lambda packages, stage: {"install": dict(packages)},
            "package_set.missing_downloads": lambda packages: {},
            "package_lock.patience": lambda: 300.0,
            "package_repair.found": lambda: {"doubles": half or {}, "half": {}, "unknown": ""},
            "package_repair.commands_to_mend": lambda names: [["mend", *names]] if half else [],
            "system_packages.plan": lambda depth, exclude: PLAN,
        }
        module = load("modules", "minion_package", salt=salt, grains={"os_family": family})
        module._RECORD = tmp_path / "state/minion.json"
        return module, commands

    return make


def test_what_is_due_is_of_the_release_or_the_newest(node):
    module, _ = node()
    assert module.due({"bash": "5"}) == {"salt-minion": "3008.4-1"}
    assert module.due({"salt-minion": "3008.9-1"}, others=False) == {"salt-minion": "3008.9-1"}
    assert module.due({}, others=False) == {}


def test_beside_the_masters_packages_nothing_is_due(node):
    assert node(("salt-minion", "salt-master"))[0].due({"salt-minion": "9"}) == {}


@pytest.mark.parametrize(
    ("family", "asked"), [("RedHat", "salt-minion-3008.4-1"), ("Debian", "salt-minion=3008.4-1")]
)
def test_the_packages_move_in_a_unit_of_their_own(node, family, asked):
    module, commands = node(family=family, active="active")
    assert module.renew({"salt-minion": "3008.4-1"}) == {
        "salt-minion": {"old": "3008.3-1", "new": "3008.4-1"}
    }
    assert "--setenv=NEEDRESTART_SUSPEND=1" in commands.ran[-1]
    assert commands.ran[-1][:2] == ["systemd-run", "--quiet"] and commands.ran[-1][-1] == str(module._RECORD)
    task = json.loads(module._RECORD.read_text())
    assert task["job"] == os.getpid() and task["commands"][0][-1] == asked
    assert module.state()["state"] == "waiting"
    assert module.renew({"salt-minion": "3008.4-1"}) == {}  # it is under way


@pytest.mark.parametrize(("family", "first"), [("RedHat", "dnf"), ("Debian", "mend")])
def test_what_a_killed_renewal_left_is_due_and_mended(node, family, first):
    module, _ = node(family=family, half={"salt-minion": ["1", "2"], "bash": ["5", "6"]})
    assert module.due({}, others=False) == {"salt-minion": "2"}
    module.renew({"salt-minion": "2"})
    ran = [line[0] for line in json.loads(module._RECORD.read_text())["commands"]]
    assert ran[0].startswith(("dnf", "apt-get") if first == "dnf" else first) and len(ran) == 2


def test_a_renewal_whose_unit_died_has_failed(node):
    module, commands = node(active="active")
    module.renew({"salt-minion": "3008.4-1"})
    commands.answers["systemctl show"] = "inactive"
    assert module.state()["state"] == "failed"
    module.forget()
    assert module.state()["state"] == "none"


@pytest.mark.parametrize(("code", "state"), [(0, "done"), (3, "failed")])
def test_the_program_writes_how_it_went_and_restarts_in_any_case(tmp_path, code, state):
    record, restarted = tmp_path / "minion.json", tmp_path / "restarted"
    command = [sys.executable, "-c", f"import sys; print('because'); sys.exit({code})"]
    restart = [sys.executable, "-c", f"open({str(restarted)!r}, 'w')"]
    record.write_text(json.dumps({"state": "waiting", "job": 0, "commands": [command], "restart": restart}))
    assert renew_minion.main(record) == bool(code)
    task = json.loads(record.read_text())
    assert task["state"] == state and restarted.exists()
    assert ("because" in task["message"]) == bool(code)
