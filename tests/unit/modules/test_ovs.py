"""ovs: the service is enabled and active afterwards in every case, and never restarted."""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from tests.unit.loading import Commands, load

INSTALL = {"openvswitch3.5": "3.5.0-12", "rhosp-openvswitch": "3.5-1"}


class Systemd(Commands):
    """systemctl of one unit: `enable` and `start` do what they say."""

    def __init__(self, enabled=True, active=True):
        super().__init__()
        self.enabled, self.active = enabled, active

    def __call__(self, command, **options):
        if command[:2] == ["systemctl", "enable"]:
            self.enabled = True
        if command[:2] == ["systemctl", "start"]:
            self.active = True
        enabled, active = ("disabled", "enabled")[self.enabled], ("inactive", "active")[self.active]
        self.answers = {"systemctl show": f"LoadState=loaded\nUnitFileState={enabled}\nActiveState={active}"}
        return super().__call__(command, **options)


def ovs(systemd, bring=None, installed=None, missing=None, os_family="RedHat"):
    calls = []
    salt = {
        "cmd.run_all": systemd,
        "package_set.missing_downloads": lambda packages: missing or {},
        "package_set.download": lambda packages: calls.append("download"),
        "package_set.bring": bring or (lambda packages, setopt: calls.append(setopt) or {}),
        "package_set.installed": lambda: installed or {},
    }
    module = load("modules", "ovs", salt=salt, grains={"os_family": os_family})
    module.switch_pid = lambda: 42
    return module, calls


def test_the_packages_move_alone_without_scripts_and_from_the_cache():
    module, calls = ovs(Systemd(), missing=INSTALL)
    module.update(INSTALL)
    options = calls[1]
    assert calls[0] == "download"
    assert "tsflags=noscripts" in options and "cacheonly=1" in options
    assert "includepkgs=openvswitch*,*-openvswitch" in options


def test_the_service_is_never_restarted():
    systemd = Systemd(enabled=False, active=False)
    module, _ = ovs(systemd)
    module.update(INSTALL)
    assert systemd.enabled and systemd.active
    assert not [line for line in systemd.lines() if "restart" in line or "stop" in line or "reload " in line]


def test_an_active_service_is_not_even_started():
    systemd = Systemd()
    module, _ = ovs(systemd)
    module.update(INSTALL)
    assert not [line for line in systemd.lines() if "start" in line or "enable" in line]


def test_a_transaction_that_fails_leaves_the_service_on():
    def fail(packages, setopt):
        raise CommandExecutionError("PACKAGE_FAILED: disk full")

    systemd = Systemd(enabled=False, active=False)
    module, _ = ovs(systemd, bring=fail)
    with pytest.raises(CommandExecutionError, match="disk full"):
        module.update(INSTALL)
    assert systemd.enabled and systemd.active


def test_what_is_left_of_the_old_stream_goes_without_its_scripts():
    systemd = Systemd()
    module, _ = ovs(systemd, installed={"openvswitch3.4": ["3.4.0-12"]})
    module.__context__["pkg.list_pkgs"] = "old"
    moved = module.update(INSTALL, ["openvswitch3.4", "openvswitch3.4-devel"])
    assert "rpm --erase --noscripts openvswitch3.4" in systemd.lines()
    assert moved == {"openvswitch3.4": {"old": "3.4.0-12", "new": ""}}
    assert "pkg.list_pkgs" not in module.__context__


def test_a_restarted_switch_is_a_failure():
    module, _ = ovs(Systemd())
    pids = iter([42, 43, 43])
    module.switch_pid = lambda: next(pids)
    with pytest.raises(CommandExecutionError, match=r"^OVS_FAILED: ovs-vswitchd was restarted: 42 became 43"):
        module.update(INSTALL)


def test_apt_nodes_are_refused_before_anything_is_touched():
    systemd = Systemd()
    module, calls = ovs(systemd, os_family="Debian")
    with pytest.raises(CommandExecutionError, match=r"^OVS_FAILED: .*dnf only"):
        module.update(INSTALL)
    assert calls == [] and systemd.ran == []


def test_a_node_without_the_service():
    commands = Commands({"systemctl show": "LoadState=not-found\nUnitFileState=\nActiveState=inactive"})
    module, _ = ovs(commands)
    assert module.status() is None
