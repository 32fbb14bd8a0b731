"""minion_package: Salt's packages are due apart, move after the job, and their state outlives the minion."""

from __future__ import annotations

import json
import os
import sys

import pytest

from openstack_rollout.node import held_services, renew_minion, updaters
from openstack_rollout.node.errors import NodeError
from tests.unit.loading import Commands, load

PLAN = {"upgrade": {"salt-minion": "3008.4-1", "lab-plain": "2"}}


@pytest.fixture
def node(tmp_path, monkeypatch):
    for name in ("POLICY", "OPERATORS_POLICY", "_DPKG_LOCK"):
        monkeypatch.setattr(held_services, name, tmp_path / name.lower())
    monkeypatch.setattr(updaters, "FOLDER", tmp_path / "units")

    def make(installed=("salt-minion",), family="RedHat", active="inactive", half=None):
        commands = Commands({"systemctl show": active})
        commands.excluded = []
        bring = {"RedHat": ["dnf", "install"], "Debian": ["apt-get", "install"]}[family]

        def command_to_bring(packages, exclude):
            commands.excluded.append(exclude)
            return [*bring, *packages]

        salt = {
            "cmd.run_all": commands,
            "package_set.installed": lambda: {name: ["3008.3-1"] for name in installed},
            "package_set.changes": lambda packages, stage: {"install": dict(packages)},
            "package_set.missing_downloads": lambda packages: {},
            "package_lock.patience": lambda: 300.0,
            "package_repair.found": lambda: {"doubles": half or {}, "half": {}, "unknown": ""},
            "package_set.command_to_bring": command_to_bring,
            "package_repair.commands_to_mend": lambda names, exclude: [["mend", *names]] if half else [],
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
    ("family", "ran"),
    [
        ("RedHat", ["dnf", "install", "salt-minion"]),
        ("Debian", ["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "salt-minion"]),
    ],
)
def test_the_packages_move_in_a_unit_of_their_own(node, family, ran):
    module, commands = node(family=family, active="active")
    moved = module.renew({"salt-minion": "3008.4-1"}, ["x*", "salt-*"])
    assert moved == {"salt-minion": {"old": "3008.3-1", "new": "3008.4-1"}}
    assert commands.ran[-1][:2] == ["systemd-run", "--quiet"] and commands.ran[-1][-1] == str(module._RECORD)
    task = json.loads(module._RECORD.read_text())
    assert task["job"] == os.getpid() and task["commands"] == [ran]
    assert commands.excluded == [["x*"]]  # what would keep the minion itself is no exclude here
    assert module.state()["state"] == "waiting"
    assert module.renew({"salt-minion": "3008.4-1"}) == {}  # it is under way


@pytest.mark.parametrize("family", ["RedHat", "Debian"])
def test_its_scripts_restart_nothing_and_the_renewal_restarts_the_minion(node, family):
    module, _ = node(family=family)
    module.renew({"salt-minion": "3008.4-1"})
    task = json.loads(module._RECORD.read_text())
    told = task["environment"]
    assert (told["SYSTEMD_OFFLINE"], told["NEEDRESTART_SUSPEND"]) == ("1", "1")
    assert held_services.POLICY.exists() == (family == "Debian")
    assert task["afterwards"] == [
        ["systemctl", "daemon-reload"],
        ["systemctl", "restart", "salt-minion.service"],
    ]
    assert module.state()["state"] == "failed" and not held_services.POLICY.exists()


def test_with_its_record_the_denial_of_a_renewal_goes_too(node):
    module, _ = node(family="Debian")
    module.renew({"salt-minion": "3008.4-1"})
    module.forget()
    assert not held_services.POLICY.exists() and not module._RECORD.exists()


def test_a_renewal_that_cannot_begin_leaves_nothing(node):
    module, commands = node(family="Debian")
    commands.answers["systemd-run"] = {"retcode": 1, "stderr": "no"}
    with pytest.raises(NodeError, match=r"^MINION_FAILED: systemd-run: no$"):
        module.renew({"salt-minion": "3008.4-1"})
    assert not held_services.POLICY.exists() and not module._RECORD.exists()


def test_the_denial_of_a_renewal_is_taken_back_once(node):
    module, _ = node(family="Debian")
    module.renew({"salt-minion": "3008.4-1"})
    module.state()
    with held_services.denied(["*"]):  # of a later transaction
        module.state()
        assert held_services.POLICY.exists()


@pytest.mark.parametrize(("family", "first"), [("RedHat", "dnf"), ("Debian", "mend")])
def test_what_a_killed_renewal_left_is_due_and_mended(node, family, first):
    module, _ = node(family=family, half={"salt-minion": ["1", "2"], "bash": ["5", "6"]})
    assert module.due({}, others=False) == {"salt-minion": "2"}
    module.renew({"salt-minion": "2"})
    ran = [line[0] for line in json.loads(module._RECORD.read_text())["commands"]]
    assert ran[0] == first and len(ran) == 2


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
    failing = f"import os, sys; print('because', os.environ['HELD']); sys.exit({code})"
    restart = f"import os; open({str(restarted)!r}, 'w').write(os.environ.get('HELD', 'free'))"
    task = {
        "state": "waiting",
        "job": 0,
        "ask": [],
        "updaters": [],
        "patience": 1,
        "commands": [[sys.executable, "-c", failing]],
        "environment": {"HELD": "held"},
        "afterwards": [[sys.executable, "-c", restart]],
    }
    record.write_text(json.dumps(task))
    assert renew_minion.main(record) == bool(code)
    task = json.loads(record.read_text())
    assert task["state"] == state and restarted.read_text() == "free"
    assert ("because held" in task["message"]) == bool(code)


SHOWN = "Id={}\nLoadState=loaded\nActiveState={}\nNeedDaemonReload=no\n"


def test_no_updater_begins_while_the_unit_runs_and_one_that_works_is_waited_for(node, tmp_path):
    module, commands = node()
    names = ("dnf-automatic.service", "dnf-makecache.service", "packagekit.service")
    some = dict.fromkeys(names, "inactive")
    commands.answers["systemctl show --property=Id,"] = "\n".join(SHOWN.format(*one) for one in some.items())
    module.renew({"salt-minion": "3008.4-1"})
    assert any("=RuntimeDirectory=openstack-rollout/moving/" in word for word in commands.ran[-1])
    assert {file.parent.name.removesuffix(".d") for file in tmp_path.glob("units/*/*.conf")} == set(some)
    task = json.loads(module._RECORD.read_text())
    assert task["updaters"] == ["dnf-automatic.service", "packagekit.service"] and task["patience"] == 300.0
    assert task["ask"][0][-1] == "SuggestDaemonQuit"


@pytest.mark.parametrize(("states", "moved"), [(["active", "inactive"], True), (["activating"] * 99, False)])
def test_the_program_moves_nothing_before_the_updaters_rest(tmp_path, monkeypatch, states, moved):
    record, told = tmp_path / "minion.json", tmp_path / "told"
    systemctl = tmp_path / "systemctl"
    told.write_text("\n".join(states))
    systemctl.write_text(f"#!/bin/sh\nhead -n 1 {told}\nsed -i 1d {told}\nexit 3\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    task = {
        "state": "waiting",
        "job": 0,
        "ask": [["false"]],
        "updaters": ["dnf-automatic.service"],
        "patience": 2,
        "commands": [["touch", f"{tmp_path}/moved"]],
        "environment": {},
        "afterwards": [["touch", f"{tmp_path}/restarted"]],
    }
    record.write_text(json.dumps(task))
    renew_minion.main(record)
    assert (tmp_path / "moved").exists() == moved and (tmp_path / "restarted").exists()
    assert ("dnf-automatic.service" in json.loads(record.read_text())["message"]) == (not moved)
