"""other_installers: who changes the node now, by command lines of real installers; and agents that may."""

from __future__ import annotations

import os

import pytest

from openstack_rollout.node import other_installers
from tests.unit.loading import Commands


@pytest.fixture
def node(tmp_path, monkeypatch):
    monkeypatch.setattr(other_installers, "_PROC", tmp_path)
    lock = tmp_path / "lock"
    monkeypatch.setattr(other_installers, "LOCKS", {"puppet": (str(lock),)})

    def look(*commands, locked=None, active=()):
        for number, words in enumerate(commands, 100):
            (tmp_path / str(number)).mkdir()
            (tmp_path / str(number) / "cmdline").write_bytes("\0".join(words).encode() + b"\0")
        if locked:
            lock.write_text(locked)
        shown = "\n\n".join(f"Id={unit}\nActiveState=active" for unit in active)
        return other_installers.found({"cmd.run_all": Commands({"systemctl show": shown})})

    return look


@pytest.mark.parametrize(
    ("words", "name", "kind"),
    [
        (
            ["/usr/bin/python3", "/root/.ansible/tmp/ansible-tmp-1795.1-99/AnsiballZ_dnf.py"],
            "ansible",
            "configuration",
        ),
        (["/usr/bin/python3", "/usr/bin/ansible-playbook", "site.yml"], "ansible", "configuration"),
        (["/usr/bin/ruby", "/opt/puppetlabs/bin/puppet", "apply", "site.pp"], "puppet", "configuration"),
        (["puppet agent: applying configuration"], "puppet", "configuration"),
        (["/opt/chef/bin/chef-client", "--once"], "chef", "configuration"),
        (["/opt/chef/embedded/bin/ruby", "--disable-gems", "/usr/bin/chef-client"], "chef", "configuration"),
        (["chef-client worker: ppid=1;start=12:00:00;"], "chef", "configuration"),
        (
            [
                "/bin/sh",
                "-c",
                "/usr/bin/python3 /root/.ansible/tmp/ansible-tmp-1/async_wrapper.py && sleep 0",
            ],
            "ansible",
            "configuration",
        ),
        (
            ["/usr/bin/python3", "-s", "/usr/bin/os-net-config", "-c", "a.yaml"],
            "os-net-config",
            "configuration",
        ),
        (["/usr/libexec/platform-python", "/usr/bin/dnf", "upgrade", "-y"], "package manager", "packages"),
        (["/var/cfengine/bin/cf-agent", "-K"], "cfengine", "configuration"),
        (["/usr/bin/python3", "/usr/bin/salt-call", "--local", "state.apply"], "salt-call", "configuration"),
        (["/usr/bin/python3", "/usr/bin/unattended-upgrade"], "unattended-upgrades", "packages"),
        (["/usr/bin/python3", "/usr/bin/dnf-automatic", "--timer"], "dnf-automatic", "packages"),
        (["/usr/bin/python3", "/usr/bin/dnf", "-y", "upgrade"], "package manager", "packages"),
        (["apt-get", "--yes", "dist-upgrade"], "package manager", "packages"),
        (["rpm", "-Uvh", "a.rpm"], "package manager", "packages"),
        (["/usr/bin/dpkg", "--status-fd", "9", "--configure", "bash"], "package manager", "packages"),
    ],
)
def test_an_installer_at_work_is_told_by_its_name(node, words, name, kind):
    assert node(words) == [{"name": name, "kind": kind, "seen": "process 100"}]


@pytest.mark.parametrize(
    "words",
    [
        [
            "/usr/bin/python3",
            "/usr/share/unattended-upgrades/unattended-upgrade-shutdown",
            "--wait-for-signal",
        ],
        ["apt-get", "--quiet", "--simulate", "upgrade"],
        ["/usr/bin/apt-get", "-s", "upgrade"],
        ["dnf", "repoquery", "bash"],
        ["rpm", "-q", "-i", "bash"],
        ["dpkg", "--list"],
        ["vim", "/etc/ansible/hosts"],
        ["less", "upgrade.txt"],
        ["salt-call", "test.ping"],
        ["ssh", "cmp7", "salt-call", "state.apply"],
        ["nsenter", "--target=77", "--all", "--", "salt-call", "state.apply"],
        ["/usr/bin/python3", "/usr/bin/salt-minion"],
        ["grep", "puppet", "/var/log/messages"],
        ["tail", "-f", "/var/log/chef/chef-client"],
        ["bash", "-c", "grep -rn /usr/bin/ansible-playbook . | sort"],
        ["vim", "/usr/bin/chef-client"],
        ["/bin/cat", "/root/.ansible/tmp/ansible-tmp-1/AnsiballZ_dnf.py"],
        ["watch", "salt-call state.apply test=True"],
        ["/opt/chef/bin/chef-client", "--daemonize"],
        ["ansible-playbook.log"],
    ],
)
def test_what_only_looks_or_waits_is_none(node, words):
    assert node(words) == []


def test_what_works_in_a_container_changes_that_one(node, tmp_path):
    for process, namespace in (("self", "pid:[1]"), ("100", "pid:[2]"), ("101", "pid:[1]")):
        folder = tmp_path / process / "ns"
        folder.mkdir(parents=True)
        (folder / "pid").symlink_to(namespace)
    for process in ("100", "101"):
        (tmp_path / process / "cmdline").write_bytes(b"apt-get\0install\0bash\0")
    assert [one["seen"] for one in node()] == ["process 101"]


def test_puppets_lock_counts_while_its_process_lives(node):
    assert node(["bash"], locked="100") == [
        {"name": "puppet", "kind": "configuration", "seen": other_installers.LOCKS["puppet"][0]}
    ]
    assert node(locked=str(os.getpid())) == []  # in this /proc there is none of that number


def test_an_agent_that_runs_may_begin_at_any_time(node):
    assert node(active=["puppet.service"]) == [{"name": "puppet", "kind": "agent", "seen": "puppet.service"}]
