"""ovs: the service is enabled and active afterwards in every case, and the switch is at most reloaded."""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from tests.unit.loading import Commands, load

INSTALL = {"openvswitch3.5": "3.5.0-12", "rhosp-openvswitch": "3.5-1"}
DAEMONS = ("ovsdb-server", "ovs-vswitchd")
UNITS = ["openvswitch.service", "ovsdb-server.service", "ovs-vswitchd.service"]


class Host(Commands):
    """systemctl and the switch's programs: `enable`, `start` and `reload` do what they say."""

    def __init__(self, enabled=True, dead=(), runs="3.4.0", database="3.4.0", reload_works=True):
        super().__init__()
        self.enabled, self.dead, self.reload_works = enabled, set(dead), reload_works
        self.running = {"ovs-vswitchd": runs, "ovsdb-server": database}
        self.installed, self.schemas = "3.4.0", []
        self.convertible, self.conversion, self.follows = True, "no", True
        self.system_id, self.reload_forgets_id = "cmp1", False

    def __call__(self, command, **options):
        if command[:2] == ["systemctl", "enable"]:
            self.enabled = True
        if command[:2] == ["systemctl", "start"]:
            self.dead -= set(command[2:])
        if command[0] == "systemctl" and command[-2] in ("reload", "restart") and self.reload_works:
            self.running[command[-1].removesuffix(".service")] = self.installed
            self.system_id = "" if self.reload_forgets_id else self.system_id
        if command[0] == "ovs-vsctl" and "system-id=" in command[-1]:
            self.system_id = command[-1].partition("=")[2]
        self.answers = {
            "systemctl show": "\n\n".join(self._unit(name) for name in UNITS),
            "ovsdb-tool needs-conversion": self.conversion,
            "ovsdb-tool convert": {"retcode": int(not self.convertible), "stderr": "syntax error"},
            "ovs-vsctl --timeout=10 --no-wait --if-exists get": f'"{self.system_id}"',
            "ovs-vsctl --timeout=60 set Open_vSwitch .": {"retcode": int(not self.follows)},
            **{f"{name} --version": f"{name} (Open vSwitch) {self.installed}" for name in DAEMONS},
            **{
                f"ovs-appctl --timeout=10 --target={name} version": f"{name} (Open vSwitch) {version}"
                for name, version in self.running.items()
            },
        }
        return super().__call__(command, **options)

    def _unit(self, name):
        enabled = ("disabled", "enabled")[self.enabled] if name == UNITS[0] else "static"
        return f"Id={name}\nLoadState=loaded\nUnitFileState={enabled}\nActiveState=" + (
            "failed" if name in self.dead else "active"
        )


def ovs(host, move=None, os_family="RedHat", obstacle="the kernel forwards for br-int", handover=None):
    salt = {
        "ovs_handover.obstacle": lambda: obstacle,
        "ovs_handover.reload": handover,
        "cmd.run_all": host,
        "cmd.which": lambda program: f"/usr/sbin/{program}",
        "ovs_packages.move": move or (lambda install, remove: {"moved": {"old": "1", "new": "2"}}),
    }
    module = load("modules", "ovs", salt=salt, grains={"os_family": os_family})
    salt["ovs.unit"] = module.unit
    module._pid = lambda name: 42
    module._program_was_replaced = lambda pid: False
    return module


def touching(host):
    return [
        line for line in host.lines() if any(f" {word}" in line for word in ("restart", "stop", "reload"))
    ]


def test_an_update_of_the_packages_touches_neither_service_nor_switch():
    host = Host()
    assert list(ovs(host).update(INSTALL)) == ["moved"]
    assert touching(host) == [
        line for line in host.lines() if line == "systemctl daemon-reload" and "reload " in line
    ]
    assert not [line for line in host.lines() if "enable" in line or "start" in line.split()]


def test_a_service_that_is_off_is_put_on_without_a_restart():
    host = Host(enabled=False, dead=UNITS)
    ovs(host).update(INSTALL)
    assert host.enabled and not host.dead
    assert not [line for line in host.lines() if "restart" in line or "stop" in line]


def test_a_dead_daemon_under_an_active_service_is_not_active():
    host = Host(dead=["ovs-vswitchd.service"])
    module = ovs(host)
    assert module.status() == {"unit": "openvswitch.service", "enabled": True, "active": False}
    module.ensure_service()
    assert "systemctl start ovs-vswitchd.service" in host.lines()
    assert module.status()["active"] is True


def test_a_transaction_that_fails_leaves_the_service_on():
    def fail(install, remove):
        raise CommandExecutionError("PACKAGE_FAILED: disk full")

    host = Host(enabled=False, dead=UNITS)
    with pytest.raises(CommandExecutionError, match="disk full"):
        ovs(host, move=fail).update(INSTALL)
    assert host.enabled and not host.dead


def test_a_restarted_switch_is_a_failure():
    module = ovs(Host())
    pids = iter([42, 43, 43])
    module.switch_pid = lambda: next(pids)
    with pytest.raises(CommandExecutionError, match=r"^OVS_FAILED: ovs-vswitchd was restarted: 42 became 43"):
        module.update(INSTALL)


def test_a_node_without_the_service():
    commands = Commands({"systemctl show": "Id=a\nLoadState=not-found\nUnitFileState=\nActiveState=inactive"})
    assert ovs(commands).status() is None


def test_a_node_with_libraries_and_no_switch_gets_none():
    commands = Commands({"systemctl show": "Id=a\nLoadState=not-found\nUnitFileState=\nActiveState=inactive"})
    assert list(ovs(commands).update({"python3-openvswitch": "3.1.0-2"})) == ["moved"]
    assert not [line for line in commands.lines() if " enable" in line or " start" in line]


def test_debians_service_has_its_own_name():
    assert ovs(Host(), os_family="Debian").unit() == "openvswitch-switch.service"


def test_what_runs_and_what_is_installed():
    host = Host()
    module = ovs(host)
    found = module.switch()
    assert (found["running"], found["installed"], found["stale"]) == ("3.4.0", "3.4.0", False)
    host.installed = "3.5.0"
    found = module.switch()
    assert (found["running"], found["installed"], found["stale"]) == ("3.4.0", "3.5.0", True)


def test_a_rebuilt_program_of_the_same_version_is_stale():
    module = ovs(Host())
    module._program_was_replaced = lambda pid: True
    assert module.switch()["stale"] is True


def test_a_stale_database_alone_makes_the_switch_stale():
    host = Host(runs="3.5.0")
    host.installed = "3.5.0"
    assert ovs(host).switch()["stale"] is True


def test_a_node_without_the_switch():
    module = ovs(Host())
    module.__salt__["cmd.which"] = lambda program: None
    assert module.switch() is None


def test_a_reload_brings_what_is_installed():
    host = Host()
    host.installed = "3.5.0"
    renewed = {"old": "3.4.0", "new": "3.5.0"}
    how = "reloaded by its own service: the kernel forwards for br-int"
    assert ovs(host).reload() == {
        "ovsdb-server": renewed | {"how": "restarted alone: the kernel forwards for br-int"},
        "ovs-vswitchd": renewed | {"how": how},
    }
    lines = [line for line in host.lines() if line.startswith("systemctl") and "show" not in line]
    assert lines == [
        "systemctl --job-mode=ignore-dependencies restart ovsdb-server.service",
        "systemctl reload ovs-vswitchd.service",
        "systemctl daemon-reload",
    ]


SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


def handed_over(host, **report):
    def handover(schema=""):
        if report["outcome"] == "done":
            host.running["ovs-vswitchd"] = host.installed
            host.running["ovsdb-server"] = host.installed if schema else host.running["ovsdb-server"]
        host.schemas.append(schema)
        return {"error": "", "gap": 0.3, "flows": {"br-int": 7, "br-ex": 1}, "late": []} | report

    return handover


def test_a_userspace_data_path_is_handed_over_and_not_reloaded():
    host = Host(database="3.5.0")
    host.installed = "3.5.0"
    done = ovs(host, obstacle=None, handover=handed_over(host, outcome="done")).reload()
    how = "handed over: 0.3 s without its 8 flows"
    assert done == {"ovs-vswitchd": {"old": "3.4.0", "how": how, "new": "3.5.0"}}
    assert host.schemas == [SCHEMA]
    assert not [line for line in touching(host) if "ovs-vswitchd" in line]


@pytest.mark.parametrize("switch", ["3.4.0", "3.5.0"])
def test_a_userspace_data_path_is_handed_over_with_its_database(switch):
    host = Host(runs=switch)
    host.installed = "3.5.0"
    done = ovs(host, obstacle=None, handover=handed_over(host, outcome="done")).reload()
    assert done["ovsdb-server"]["how"] == "handed over: 0.3 s without its 8 flows"
    assert list(done) == [*DAEMONS][: 2 if switch == "3.4.0" else 1]
    assert host.schemas == [SCHEMA] and host.running == dict.fromkeys(DAEMONS, "3.5.0")
    assert not touching(host)


def test_a_conversion_is_tried_before_a_handover():
    host = Host()
    host.installed, host.conversion, host.convertible = "3.5.0", "yes", False
    with pytest.raises(CommandExecutionError, match=r"^OVS_FAILED: .*nothing was reloaded"):
        ovs(host, obstacle=None, handover=handed_over(host, outcome="done")).reload()
    assert not host.schemas


def test_where_both_cannot_be_handed_over_the_database_goes_first_and_the_switch_is_tried_again():
    host = Host()
    host.installed = "3.5.0"
    handover = handed_over(host, outcome="not possible", error="two databases")
    done = ovs(host, obstacle=None, handover=handover).reload()
    assert done["ovsdb-server"]["how"] == "restarted alone: two databases"
    assert done["ovs-vswitchd"]["how"] == "reloaded by its own service: two databases"
    assert host.schemas == [SCHEMA, ""]


def test_where_a_handover_turns_out_to_be_impossible_the_service_reloads_the_switch():
    host = Host(database="3.5.0")
    host.installed = "3.5.0"
    handover = handed_over(host, outcome="not possible", error="by the kernel's policy")
    done = ovs(host, obstacle=None, handover=handover).reload()
    assert done["ovs-vswitchd"]["how"] == "reloaded by its own service: by the kernel's policy"
    assert "systemctl reload ovs-vswitchd.service" in host.lines()


def test_a_handover_that_failed_is_not_followed_by_a_reload_and_ends_the_wait_for_flows():
    def fail(*schema):
        raise CommandExecutionError("OVS_FAILED: the switch was not handed over; the old switch goes on")

    host = Host(database="3.5.0")
    host.installed = "3.5.0"
    with pytest.raises(CommandExecutionError, match="the old switch goes on"):
        ovs(host, obstacle=None, handover=fail).reload()
    assert not [line for line in touching(host) if "ovs-vswitchd" in line]
    assert any(line.endswith("remove Open_vSwitch . other_config flow-restore-wait") for line in host.lines())


def test_only_the_stale_daemon_is_reloaded():
    host = Host(database="3.5.0")
    host.installed = "3.5.0"
    assert list(ovs(host).reload()) == ["ovs-vswitchd"]
    assert "systemctl reload ovs-vswitchd.service" in host.lines()


def test_what_is_not_stale_is_not_reloaded():
    host = Host()
    assert ovs(host).reload() == {}
    assert not [line for line in host.lines() if line.startswith("systemctl")]


def test_a_conversion_that_would_fail_is_refused_before_the_reload():
    host = Host()
    host.installed, host.conversion, host.convertible = "3.5.0", "yes", False
    with pytest.raises(CommandExecutionError, match=r"^OVS_FAILED: .*nothing was reloaded: syntax error"):
        ovs(host).reload()
    assert host.running == dict.fromkeys(DAEMONS, "3.4.0")


def test_a_switch_that_does_not_follow_the_new_database_is_not_reloaded():
    host = Host()
    host.installed, host.follows = "3.5.0", False
    with pytest.raises(CommandExecutionError, match=r"^OVS_FAILED: ovs-vswitchd does not follow"):
        ovs(host).reload()
    assert host.running == {"ovsdb-server": "3.5.0", "ovs-vswitchd": "3.4.0"}


def test_a_reload_that_does_not_take_is_a_failure_and_ends_the_wait_for_flows():
    host = Host(reload_works=False)
    host.installed = "3.5.0"
    with pytest.raises(CommandExecutionError, match=r"^OVS_FAILED: ovsdb-server was reloaded and runs 3.4.0"):
        ovs(host).reload(timeout=0)
    assert any(line.endswith("remove Open_vSwitch . other_config flow-restore-wait") for line in host.lines())


def test_a_reload_that_forgot_the_chassis_is_told_again():
    host = Host()
    host.installed, host.reload_forgets_id = "3.5.0", True
    ovs(host).reload()
    assert host.system_id == "cmp1"
