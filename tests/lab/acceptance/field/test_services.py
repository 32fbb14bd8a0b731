"""What runs deleted libraries after an update: found, restarted where that is harmless, else told; never by
needrestart in the middle of a transaction.

The units are small programs of the lab under the names of the services that they stand for; systemd, apt and
needrestart are real.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import pytest

from ... import extra_debs, operator, settings
from ...patches import GENERATIONS, LIBRARY, PLAIN, Patches

LAB_PROFILE = settings.DEBIAN
NODE = "cmp1"
UNIT = f"""[Unit]
Description=A small program of the lab
{{refuses}}
[Service]
ExecStart=/usr/bin/python3 -c "import ctypes, signal; ctypes.CDLL('{LIBRARY}'); signal.pause()"
{{own}}
"""
REFUSES = "RefuseManualStop=yes"
#: a mount namespace of its own, as chronyd and httpd have
OWN = "PrivateTmp=yes\nReadOnlyPaths=/usr\nProtectHome=yes"
HARMLESS = {"ssh": ("", ""), "cron": ("", ""), "chronyd": ("", OWN), "rsyslog": ("", OWN)}
REFUSING = {"auditd": (REFUSES, ""), "tuned": (REFUSES, OWN)}
CARRYING = {
    **dict.fromkeys(
        ("nova-compute", "neutron-l3-agent", "frr", "etcd", "mysqld", "pacemaker_remote"), ("", "")
    ),
    **dict.fromkeys(("memcached", "httpd", "firewalld", "docker"), ("", OWN)),
}
UNITS = {f"{name}.service": one for name, one in {**HARMLESS, **REFUSING, **CARRYING}.items()}
RESTARTED = {f"{name}.service" for name in HARMLESS}
STARTED = "39f53479d3a045ac8e11786248231fbf"  # systemd's message that a unit has started
UNSAFE = set(UNITS) - RESTARTED


@dataclass(frozen=True)
class Running:
    """The process of a unit, and when it was started, in seconds since the epoch."""

    pid: str
    since: float


@pytest.fixture(scope="module")
def machine(cloud):
    """Everything runs the first version of the library, and needrestart restarts whatever it finds."""
    vendor = Patches(cloud)
    vendor.publish(GENERATIONS[0])
    vendor.install_first(NODE, ["lab-library"])
    vendor.publish(GENERATIONS[1])
    for name, (refuses, own) in UNITS.items():
        text = UNIT.format(refuses=refuses, own=own)
        cloud.exec(NODE, ["tee", f"/etc/systemd/system/{name}"], stdin=text)
    cloud.exec(NODE, ["systemctl", "daemon-reload"])
    cloud.exec(NODE, ["systemctl", "start", *UNITS])
    extra_debs.install(cloud, NODE, ["needrestart"])
    cloud.exec(NODE, ["tee", "/etc/needrestart/conf.d/lab.conf"], stdin="$nrconf{restart} = 'a';\n")
    cloud.set_pillar(target_version="", system={"reboot": "never"})
    return cloud


def units(cloud) -> dict[str, Running]:
    """What runs, asked of systemd once all have loaded the library."""
    deadline = time.monotonic() + 30
    while True:
        listed = cloud.exec(
            NODE, ["systemctl", "show", "--timestamp=unix", "-p", "Id,MainPID,ActiveEnterTimestamp", *UNITS]
        ).stdout
        blocks = [
            dict(line.split("=", 1) for line in one.splitlines()) for one in listed.strip().split("\n\n")
        ]
        found = {
            one["Id"]: Running(one["MainPID"], float(one["ActiveEnterTimestamp"].removeprefix("@") or 0))
            for one in blocks
        }
        maps = cloud.exec(NODE, ["cat", *(f"/proc/{one.pid}/maps" for one in found.values())], check=False)
        loaded = {line.split()[5] for line in maps.stdout.splitlines() if "liblab" in line}
        lines = sum(1 for line in maps.stdout.splitlines() if "liblab" in line and " r-xp " in line)
        if loaded and lines >= len(UNITS):
            return found
        assert time.monotonic() < deadline, (found, loaded, maps.stderr)
        time.sleep(0.5)


def stale(cloud) -> set[str]:
    """The units that run the deleted library, read of /proc."""
    found = set()
    for name, one in units(cloud).items():
        maps = cloud.exec(NODE, ["cat", f"/proc/{one.pid}/maps"]).stdout
        if f"{LIBRARY} (deleted)" in maps:
            found.add(name)
    return found


def changed(before: dict[str, Running], after: dict[str, Running]) -> set[str]:
    return {name for name, one in after.items() if one != before[name]}


def go_back(cloud) -> dict[str, Running]:
    """The first version of the library, run by everything; without needrestart's help."""
    apt = ["apt-get", "--quiet", "--yes", "--allow-downgrades", "install", f"lab-library={PLAIN[0]}"]
    cloud.exec(NODE, ["env", "NEEDRESTART_SUSPEND=1", *apt])
    for name in UNITS:  # those that refuse are ended by their process
        cloud.exec(NODE, ["systemctl", "kill", "--signal=KILL", name])
    cloud.exec(NODE, ["systemctl", "reset-failed"], check=False)
    cloud.exec(NODE, ["systemctl", "start", *UNITS])
    assert stale(cloud) == set()
    return units(cloud)


def transaction_ended(cloud) -> float:
    """When dpkg last had a package installed, by its own log."""
    lines = cloud.exec(NODE, ["cat", "/var/log/dpkg.log"]).stdout.splitlines()
    last = next(line for line in reversed(lines) if " status installed " in line)
    date, clock = last.split()[:2]
    return float(cloud.exec(NODE, ["date", "+%s", f"--date={date} {clock}"]).stdout)


@pytest.fixture(scope="module")
def by_hand(machine) -> set[str]:
    """What needrestart restarts when an operator types the same update."""
    before = units(machine)
    machine.exec(NODE, ["apt-get", "--quiet", "update"])
    machine.exec(
        NODE, ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--yes", "install", "lab-library"]
    )
    return changed(before, units(machine))


@pytest.fixture(scope="module")
def by_a_call(machine, by_hand) -> tuple[set[str], set[str]]:
    """What a call of ours by Salt's pkg restarts, and what is stale then."""
    before = go_back(machine)
    wanted = json.dumps({"lab-library": PLAIN[1]})
    answer = machine.salt(NODE, "package_set.bring", wanted, timeout=120)
    assert list(answer[NODE]) == ["lab-library"], answer
    return changed(before, units(machine)), stale(machine)


@pytest.fixture(scope="module")
def by_the_stage(machine, by_a_call) -> tuple[dict[str, Running], dict[str, Running], dict]:
    """The system stage: what ran before and after it, and what the node is told to be."""
    before = go_back(machine)
    operator.update(machine, "orch.system")
    return before, units(machine), operator.status(machine)["nodes"][NODE]


def test_needrestart_restarts_what_carries_something_where_it_may(by_hand):
    assert by_hand & UNSAFE, "needrestart does not work here, so that the rest shows nothing"


def test_no_call_of_ours_restarts_anything_in_mid_transaction(by_a_call):
    restarted, left = by_a_call
    assert restarted == set() and left == set(UNITS)


def test_services_of_every_kind_of_mount_namespace_are_found(machine, by_a_call):
    found = machine.salt(NODE, "stale_services.found")[NODE]
    assert set(UNITS) <= set(found) and all(LIBRARY in found[name] for name in UNITS)


def test_the_harmless_ones_are_restarted_once_and_when_the_transaction_is_over(machine, by_the_stage):
    before, after, _ = by_the_stage
    assert changed(before, after) == RESTARTED
    ended = transaction_ended(machine)
    assert all(after[name].since >= ended for name in RESTARTED)
    for name in RESTARTED:
        since = f"--since=@{int(before[name].since) + 1}"
        begun = ["journalctl", "--output=cat", since, f"UNIT={name}", f"MESSAGE_ID={STARTED}"]
        assert len(machine.exec(NODE, begun).stdout.splitlines()) == 1, name


def test_what_refuses_or_carries_something_is_a_reason_and_untouched(machine, by_the_stage):
    _, _, status = by_the_stage
    assert stale(machine) == UNSAFE
    assert set(machine.salt(NODE, "stale_services.unsafe")[NODE]) >= UNSAFE
    assert [line.partition(":")[0] for line in status["reboot"]] == ["libraries"]


def test_the_node_is_told_until_it_was_rebooted(machine, by_the_stage):
    operator.update(machine, "orch.system")
    assert operator.status(machine)["nodes"][NODE]["reboot"] == by_the_stage[2]["reboot"]
    assert stale(machine) == UNSAFE
