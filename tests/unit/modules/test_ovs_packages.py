"""ovs_packages: the packages move alone, and nothing that their scripts do reaches the switch."""

from __future__ import annotations

import os
import subprocess

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import held_services
from tests.unit import policy_rc
from tests.unit.loading import Commands, load

INSTALL = {"openvswitch3.5": "3.5.0-12", "rhosp-openvswitch": "3.5-1"}
ON_DEBIAN = {"openvswitch-switch": "3.5.1-1"}


def packages(commands=None, os_family="RedHat", installed=None, missing=None, bring=None, finished=None):
    calls = []
    finished = [] if finished is None else finished
    salt = {
        "cmd.run_all": commands or Commands(),
        "package_set.missing_downloads": lambda packages: missing or {},
        "package_set.download": lambda packages, remove: calls.append("download"),
        "package_set.bring": bring or (lambda packages, **more: calls.append((packages, more)) or {}),
        "package_set.installed": lambda fresh=False: installed or {},
        "package_repair.finish_dpkg": lambda **how: finished.append(how["switch"]),
    }
    return load("modules", "ovs_packages", salt=salt, grains={"os_family": os_family}), calls


@pytest.fixture
def policy(tmp_path, monkeypatch):
    yield policy_rc.kept_in(tmp_path, monkeypatch)
    os.environ.pop(held_services._HELD, None)  # of a run that was killed


def on_debian(policy, commands=None, **more):
    return packages(commands, os_family="Debian", **more)


def asked(policy, unit):
    return subprocess.run([policy, unit, "restart"], check=False).returncode


def test_dnf_moves_them_alone_without_scripts_and_from_the_cache():
    module, calls = packages(missing=INSTALL)
    module.move(INSTALL)
    assert calls[0] == "download"
    setopt = set(calls[1][1]["setopt"])
    assert setopt == {"tsflags=noscripts", "cacheonly=1", "includepkgs=openvswitch*,*-openvswitch"}


def test_what_is_left_of_the_old_stream_goes_without_its_scripts():
    commands = Commands()
    module, _ = packages(commands)
    looked = []
    module.__salt__["package_set.installed"] = lambda fresh=False: (
        looked.append(fresh) or {"openvswitch3.4": ["3.4.0-12"]}
    )
    moved = module.move({}, ["openvswitch3.4", "openvswitch3.4-devel"])
    erasing = "systemd-run --scope --quiet rpm --erase --noscripts --allmatches openvswitch3.4"
    assert [line for line in commands.lines() if "systemctl show" not in line] == [
        erasing,
        "systemctl daemon-reload",
    ]
    assert moved == {"openvswitch3.4": {"old": "3.4.0-12", "new": ""}}
    assert looked[-1] is True  # what is known of before counts no more


def test_what_a_killed_transaction_left_twice_goes_without_its_scripts():
    commands = Commands()
    both = {
        "rhosp-openvswitch": ["3.4-1", "3.5-1"],
        "openvswitch3.4": ["3.4.0-12"],
        "openvswitch3.5": ["3.5.0-12"],
    }
    module, _ = packages(commands, installed=both)
    module.move({}, ["openvswitch3.4", "rhosp-openvswitch-3.4-1"])
    assert commands.lines()[-2].endswith("--allmatches openvswitch3.4 rhosp-openvswitch-3.4-1")


def test_apt_moves_them_while_the_switchs_services_are_denied(policy):
    during = []

    def bring(packages, **more):
        during.append((asked(policy, "openvswitch-switch.service"), asked(policy, "cron.service")))
        return {}

    module, _ = on_debian(policy, bring=bring)
    module.move(ON_DEBIAN)
    assert during == [(101, 0)]
    assert not policy.exists()


def test_the_operators_own_policy_decides_about_everything_else_and_is_put_back(policy):
    own = "#!/bin/sh\nexit 42\n"
    policy.write_text(own)
    policy.chmod(0o755)
    during = []

    def bring(packages, **more):
        during.append((asked(policy, "ovs-vswitchd.service"), asked(policy, "cron.service")))
        raise CommandExecutionError("PACKAGE_FAILED: disk full")

    module, _ = on_debian(policy, bring=bring)
    with pytest.raises(CommandExecutionError, match="disk full"):
        module.move(ON_DEBIAN)
    assert during == [(101, 42)]
    assert policy.read_text() == own and not held_services.OPERATORS_POLICY.exists()


def test_a_policy_that_a_killed_run_left_is_taken_back(policy):
    policy.write_text("#!/bin/sh\nexit 42\n")
    policy.chmod(0o755)
    module, _ = on_debian(policy)
    denied = held_services.denied(module._SERVICES)
    denied.__enter__()  # and killed
    assert "openstack-rollout" in policy.read_text()
    del os.environ[held_services._HELD]
    assert asked(policy, "ovs-vswitchd.service") == 42  # nobody else is denied anything meanwhile
    module.move(ON_DEBIAN)
    assert policy.read_text() == "#!/bin/sh\nexit 42\n"


def test_the_denial_stays_while_a_package_manager_works(policy, monkeypatch):
    module, _ = on_debian(policy)
    monkeypatch.setattr(held_services, "_dpkg_works", lambda: True)
    held_services.denied(module._SERVICES).__enter__()
    assert module.tidy() is False and policy.exists()
    monkeypatch.setattr(held_services, "_dpkg_works", lambda: False)
    assert module.tidy() is True and not policy.exists()


def test_held_packages_are_the_operators_decision(policy):
    commands = Commands({"apt-mark showhold": "openvswitch-switch\nother"})
    module, calls = on_debian(policy, commands)
    with pytest.raises(CommandExecutionError, match=r"^PACKAGE_FAILED: openvswitch-switch: on hold"):
        module.move(ON_DEBIAN)
    assert calls == [] and not policy.exists()


def test_apt_refuses_what_would_move_other_packages(policy):
    commands = Commands(
        {"apt-get --quiet --simulate": "Inst openvswitch-switch [1] (2)\nInst libssl3 [1] (2)"}
    )
    module, calls = on_debian(policy, commands)
    with pytest.raises(CommandExecutionError, match=r"^PACKAGE_FAILED: other packages would move.*libssl3"):
        module.move(ON_DEBIAN)
    assert calls == []


def test_apt_takes_the_old_stream_away_in_the_same_transaction(policy):
    commands = Commands({"apt-get --quiet --simulate": "Inst openvswitch3.5 (2)\nRemv openvswitch3.4 [1]"})
    module, calls = on_debian(policy, commands, installed={"openvswitch3.4": ["1"]})
    module.move({"openvswitch3.5": "2"}, ["openvswitch3.4", "openvswitch3.4-devel"])
    assert calls == [({"openvswitch3.5": "2"}, {"remove": module.OVS_PACKAGES, "erase": ["openvswitch3.4"]})]
    simulated = "apt-get --quiet --simulate --allow-downgrades install openvswitch3.5=2 openvswitch3.4-"
    assert simulated in commands.lines()


def test_a_killed_dpkg_is_finished_first_while_its_scripts_are_denied_the_switch(policy):
    finished = []
    module, _ = on_debian(policy, finished=finished)
    module.move(ON_DEBIAN)
    assert finished == [True]
