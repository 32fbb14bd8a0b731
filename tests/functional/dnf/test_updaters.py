"""Updaters of the node itself, while packages move: none begins, none is stopped, and all may afterwards.

The updater's unit and its timer are those of the distribution, or stand-ins where the machine has none; what
it runs only tells that it ran. A script of a package that moves asks systemd to start it, which a timer would
do as well.
"""

from __future__ import annotations

import pytest

from tests.lab.enclosure import wait_for
from tests.lab.packages import Package

from .. import own_repository

UPDATER = "dnf-makecache"
RAN = "/var/log/updater.ran"
NAME = "upd-asks"
INSTALL = ["dnf", "--quiet", "--assumeyes", "install", NAME]
HOLDERS = ["systemctl", "list-units", "--no-legend", "--plain", "openstack-rollout-moving-*"]
# What a condition of the distribution's own would hinder is dropped; ours comes last.
INSTEAD = f"""[Unit]
ConditionPathExists=
[Service]
ExecStartPre=
ExecStart=
ExecStart=/bin/sh -c 'echo ran >> {RAN}'
"""
#: of an updater that the machine does not have: dnf's packages there bring none
STAND_INS = {
    "service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "timer": "[Timer]\nOnBootSec=1d\n[Install]\nWantedBy=timers.target\n",
}
#: asks as a timer would: systemd itself, and not systemctl as package scripts have it
ASKS = "env -u SYSTEMD_OFFLINE systemctl start {updater}.service || true\nsleep {seconds}\n"


def publish(node, number: str, seconds: int) -> str:
    script = ASKS.format(updater=UPDATER, seconds=seconds)
    own_repository.publish(node, [Package(NAME, number, "1", scriptlets={"post": script})])
    return f"{number}-1.el9"


class Story:
    """A machine whose updater would begin whenever it is asked to."""

    def __init__(self, node, updater, publish_, install):
        self.node, self.unit, self.publish = node, f"{updater}.service", publish_
        self.timer = f"{updater}.timer"
        self.publish(node, "1", 0)
        node.exec(install, timeout=300)
        for kind, text in STAND_INS.items():
            if node.exec(["systemctl", "cat", f"{updater}.{kind}"], check=False).returncode:
                node.exec(["tee", f"/usr/lib/systemd/system/{updater}.{kind}"], stdin=text)
        place = f"/run/systemd/system/{self.unit}.d"
        node.exec(["mkdir", "-p", place])
        node.exec(["tee", f"{place}/lab.conf"], stdin=INSTEAD)
        node.exec(["systemctl", "unmask", "--runtime", self.unit], check=False)
        node.exec(["systemctl", "daemon-reload"])
        node.exec(["systemctl", "start", self.timer])

    def ran(self) -> int:
        """How often the updater ran."""
        return len(self.node.exec(["cat", RAN], check=False).stdout.splitlines())

    def begins(self) -> bool:
        """Whether it begins when it is asked to."""
        before = self.ran()
        self.node.exec(["systemctl", "start", self.unit])
        return self.ran() == before + 1

    def active(self) -> str:
        return self.node.exec(["systemctl", "is-active", self.timer], check=False).stdout.strip()


@pytest.fixture(scope="module")
def story(node):
    return Story(node, UPDATER, publish, INSTALL)


def test_it_would_begin(story):
    assert story.begins() and story.active() == "active"


def test_it_does_not_begin_while_packages_move_and_its_timer_goes_on(node, story):
    version, before = story.publish(node, "2", 0), story.ran()
    assert NAME in node.call("package_set.bring", f"{{{NAME}: {version}}}")
    assert story.ran() == before and story.active() == "active"
    assert node.out(HOLDERS) == "" and story.begins()
    assert story.unit in node.call("package_updaters.found")


def test_one_that_was_masked_stays_so(node, story):
    node.exec(["systemctl", "mask", "--runtime", "--now", story.timer])
    version = story.publish(node, "3", 0)
    node.call("package_set.bring", f"{{{NAME}: {version}}}")
    assert node.exec(["systemctl", "is-enabled", story.timer], check=False).stdout.strip() == "masked-runtime"
    node.exec(["systemctl", "unmask", "--runtime", story.timer])
    node.exec(["systemctl", "start", story.timer])


def test_a_killed_job_leaves_none_held_off(node, story):
    version, before = story.publish(node, "4", 30), story.ran()
    bring = ["salt-call", "package_set.bring", f"{{{NAME}: {version}}}"]
    node.exec(["systemd-run", "--quiet", "--unit=lab-bring", *bring])
    assert wait_for(lambda: node.out(HOLDERS) != "", 60)
    node.exec(["systemctl", "kill", "--signal=KILL", "lab-bring.service"])
    assert wait_for(lambda: node.out(HOLDERS) == "", 10)
    assert story.ran() == before and story.begins()
    # the package manager goes on to its end
    assert wait_for(lambda: node.call("package_lock.holders") == [], 90, 1)
