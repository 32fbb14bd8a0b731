"""stale_services: which services run deleted files, and which of them are restarted."""

from __future__ import annotations

import os
import time

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import installed_files
from openstack_rollout.node.errors import NodeError
from tests.unit.loading import load

DELETED = "7f00-7f01 r-xp 00000000 fd:00 12 /usr/lib64/libssl.so.3 (deleted)\n"
CURRENT = "7f00-7f01 r-xp 00000000 fd:00 12 /usr/lib64/libssl.so.3\n"


class Node:
    """A /proc in a folder, and systemd: which units refuse a restart, and which do not come back."""

    def __init__(self, folder, family="RedHat"):
        self.folder, self.refuse, self.broken, self.restarted = folder, set(), set(), []
        self.units, self.gone, self.ended, self.brought = {}, set(), [], {}
        self.host, self.container, self.chroot = (folder / one for one in ("host", "container", "chroot"))
        for place in (self.host, self.container, self.chroot):
            place.mkdir()
        self._pid = 0
        self.process("init.scope", maps=CURRENT)
        self.module = load(
            "modules",
            "stale_services",
            salt={
                "cmd.run_all": self._run,
                "service.restart": self._restart,
                "service.status": lambda unit: unit not in self.broken,
                "service.stop": lambda unit: not self.ended.append(unit),
            },
            grains={"os_family": family},
        )
        self.module._PROC = folder / "proc"

    def process(self, unit, maps=DELETED, root=None, comm="program", mounts="mnt:[1]"):
        self._pid += 1
        place = self.folder / "proc" / str(self._pid)
        place.mkdir(parents=True)
        (place / "root").symlink_to(root or self.host)
        (place / "ns").mkdir()
        (place / "ns/mnt").symlink_to(mounts)
        (place / "maps").write_text(maps)
        (place / "comm").write_text(f"{comm}\n")
        (place / "cgroup").write_text(f"0::/system.slice/{unit}\n")

    def unit(self, name, began=0.0, pid="7", source=""):
        """A service that systemd knows, which began a while ago (seconds, negative)."""
        monotonic = int((time.clock_gettime(time.CLOCK_MONOTONIC) + began) * 1e6)
        self.units[name] = (
            f"Id={name}\nMainPID={pid}\nActiveState=active\nActiveEnterTimestampMonotonic={monotonic}\n"
            f"SourcePath={source}\nFragmentPath=/usr/lib/systemd/system/{name}\n"
        )

    def bring(self, package, *files, ago=0.0):
        """A package with these files was installed, a while ago (seconds)."""
        self.brought[package] = (int(time.time() - ago), files)

    def _run(self, command, **_):
        return {"retcode": 0, "stdout": self._printed(command), "stderr": ""}

    def _printed(self, command):
        if command[:2] == ["rpm", "-qa"]:
            return "".join(f"{name}\t{when}\n" for name, (when, _) in self.brought.items())
        if command[0] == "rpm":
            some = {name: self.brought[name] for name in command[4:]}
            return "".join(
                f"{name}\t{when}\t{path}\n" for name, (when, files) in some.items() for path in files
            )
        if "--property=LoadState" in command:
            return "not-found" if command[-1] in self.gone else "loaded"
        if "*.service" in command:
            return "\n".join(self.units[name] for name in sorted(self.units))
        return "yes\nno" if command[-1] in self.refuse else "no\nno"

    def _restart(self, unit):
        if unit in self.broken:
            raise CommandExecutionError("Job failed")
        self.restarted.append(unit)
        return True


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


def test_a_service_of_the_host_is_found_and_a_container_is_not(node):
    node.process("sshd.service")
    node.process("tuned.service", maps=CURRENT)
    node.process("nova.service/libpod-payload-1", root=node.container, mounts="mnt:[2]")
    node.process("edpm_nova.service", comm="conmon")
    node.process("openstack-rollout-minion.service")
    node.process("a.service/sub", maps="7f00-7f01 rw-s 00000000 00:01 3  /dev/shm/x (deleted)\n")
    assert node.module.found() == {"sshd.service": ["/usr/lib64/libssl.so.3"]}


def test_a_daemon_in_a_root_of_its_own_is_no_container_nor_is_one_with_mounts_of_its_own(node):
    node.process("named-chroot.service", root=node.chroot)
    node.process("chronyd.service", mounts="mnt:[3]")
    assert list(node.module.found()) == ["chronyd.service", "named-chroot.service"]


def test_logins_are_left_alone(node):
    node.process("sshd@7-10.0.0.1:22-10.0.0.2:4711.service")
    assert node.module.found() == {} and node.module.unsafe() == [] and node.module.restart() == []


def test_the_minion_is_told_and_neither_restarted_nor_a_reason_for_a_reboot(node):
    node.process("salt-minion.service")
    node.process("crond.service")
    assert "salt-minion.service" in node.module.found() and node.module.unsafe() == []
    assert node.module.due() == node.module.restart() == node.restarted == ["crond.service"]


@pytest.mark.parametrize(
    "unit",
    [
        *("systemd-networkd", "docker", "containerd", "pacemaker_remote", "sbd", "corosync-qdevice", "frr"),
        *("bird", "etcd", "memcached", "mysqld", "openstack-nova-compute", "neutron-server", "glusterd"),
        *("tgtd", "nfs-server", "drbd", "teamd@team0", "firewalld", "httpd", "of-somebody-else"),
    ],
)
def test_what_nobody_knows_to_be_harmless_is_a_reason_for_a_reboot(node, unit):
    node.process(f"{unit}.service")
    node.process("crond.service")
    assert node.module.unsafe() == [f"{unit}.service"]
    assert node.module.restart() == node.restarted == ["crond.service"]


def test_one_that_systemd_does_not_restart_is_a_reason_too_and_the_others_get_theirs(node):
    for unit in ("chronyd.service", "sshd.service", "crond.service"):
        node.process(unit)
    node.refuse = {"chronyd.service"}
    assert node.module.unsafe() == ["chronyd.service"]
    assert node.module.restart() == ["crond.service", "sshd.service"]


def test_one_that_does_not_come_back_is_named_after_all_had_their_restart(node):
    for unit in ("crond.service", "rsyslog.service", "sshd.service"):
        node.process(unit)
    node.broken = {"crond.service"}
    with pytest.raises(NodeError, match=r"not active after a restart: crond\.service$"):
        node.module.restart()
    assert node.restarted == ["rsyslog.service", "sshd.service"]


TUNED = "/usr/lib/systemd/system/tuned.service"


def test_a_service_is_stale_whose_package_came_later_until_it_begins_anew(node):
    """What runs in an interpreter has no deleted file. Who installed it does not matter."""
    node.unit("idle.service", began=-100, pid="0")
    node.unit("other.service", began=-100)
    node.unit("tuned.service", began=-100)
    node.bring("tuned", TUNED, "/usr/sbin/tuned", ago=50)
    node.bring("idle", "/usr/lib/systemd/system/idle.service", ago=50)
    node.bring("other", "/usr/lib/systemd/system/other.service", ago=200)
    assert node.module.found() == {"tuned.service": ["package tuned"]}
    assert node.module.restart() == ["tuned.service"]
    node.unit("tuned.service", began=-10)
    assert node.module.found() == {}


def test_a_unit_of_a_script_is_its_packages(node):
    node.unit("atd.service", began=-100, source="/etc/init.d/atd")
    node.bring("at", "/etc/init.d/atd", ago=50)
    assert node.module.found() == {"atd.service": ["package at"]}


def test_what_came_in_the_future_counts_for_nothing(node):
    """The clock was set back since: no restart and no reboot would help."""
    node.unit("tuned.service", began=-100)
    node.bring("tuned", TUNED, ago=-3600)
    assert node.module.found() == {}


@pytest.mark.parametrize("file", ["cron.list", "cron:amd64.list"])
def test_dpkg_tells_whose_unit_it_is_with_or_without_usr(tmp_path, monkeypatch, file):
    node = Node(tmp_path, "Debian")
    monkeypatch.setattr(installed_files, "_DPKG", tmp_path)
    node.unit("cron.service", began=-100)
    listed = tmp_path / file
    listed.write_text("/.\n/lib/systemd/system/cron.service\n")
    assert node.module.found() == {"cron.service": ["package cron"]}
    os.utime(listed, (time.time() - 200, time.time() - 200))
    assert node.module.found() == {}


def test_a_list_that_dpkg_takes_away_during_the_look_is_no_failure(tmp_path, monkeypatch):
    node = Node(tmp_path, "Debian")
    monkeypatch.setattr(installed_files, "_DPKG", tmp_path)
    node.unit("cron.service", began=-100)
    (tmp_path / "gone.list").symlink_to(tmp_path / "nowhere")
    assert node.module.found() == {}


def test_the_switch_tells_of_itself_whether_it_is_stale(node):
    node.unit("ovs-vswitchd.service", began=-100)
    node.bring("openvswitch3.5", "/usr/lib/systemd/system/ovs-vswitchd.service", ago=50)
    assert node.module.found() == {}


def test_a_harmless_service_ends_whose_package_is_gone(node):
    node.process("atd.service")
    node.gone = {"atd.service"}
    assert node.module.restart() == ["atd.service"]
    assert node.ended == ["atd.service"] and node.restarted == []
