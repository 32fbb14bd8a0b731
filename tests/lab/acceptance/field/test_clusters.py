"""What guards tell apart, on three controllers with real clusters: copying, set by an operator, not asked."""

from __future__ import annotations

import json
import time

import pytest

from tests.lab import proof, settings
from tests.lab.clusters import page
from tests.lab.enclosure import wait_for

LAB_PROFILE = settings.CONTROLLERS
IMAGE = "mariadb_image"
LIMIT = 20  # seconds; the copy takes several of them
NODE, OTHER = "ctl3", "ctl1"
_SLOW = "/etc/systemd/system/mariadb.service.d/lab-slow.conf"
#: a member that starts after this was written has no files, and gets them slowly
_STARTS_EMPTY = """\
[Service]
ExecStartPre=/usr/bin/find /var/lib/mysql -mindepth 1 -delete
ExecStartPre=/usr/sbin/nft "add table inet lab"
ExecStartPre=/usr/sbin/nft "add chain inet lab in { type filter hook input priority 0; }"
ExecStartPre=/usr/sbin/nft "add rule inet lab in tcp dport 4444 limit rate over 600 kbytes/second drop"
"""


@pytest.fixture
def slow(cloud):
    """The next start of one member's database has it fed, slowly; its limit is short."""
    cloud.exec(NODE, ["mkdir", "-p", _SLOW.rpartition("/")[0]])
    cloud.exec(NODE, ["tee", _SLOW], stdin=_STARTS_EMPTY)
    cloud.exec(NODE, ["systemctl", "daemon-reload"])
    yield
    cloud.exec(NODE, ["rm", "-f", _SLOW])
    cloud.exec(NODE, ["nft", "delete", "table", "inet", "lab"], check=False)
    cloud.exec(NODE, ["systemctl", "daemon-reload"])


def wants(cloud, version: str) -> str:
    """Have the cloud want the database's image of a release; its digest."""
    reference = cloud.releases[version]["images"][IMAGE]
    impatient = {"mariadb": page.services()["mariadb"] | {"health": {"timeout": LIMIT}}}
    cloud.set_pillar(target_version="1.0.0", custom_images={IMAGE: reference}, services=impatient)
    return reference.partition("@")[2]


def apply(cloud) -> dict:
    """The database's state on the one node, and its answer."""
    command = ["salt", NODE, "state.apply", "openstack.control_plane", "--out=json", "--static", "-t", "900"]
    done = cloud.master(command, check=False, timeout=1200)
    states = json.loads(done.stdout)[NODE]
    assert isinstance(states, dict), states
    return next(one for key, one in states.items() if "container mariadb" in key)


def started(cloud) -> str:
    """The database's container on the one node, and when it was started."""
    shown = cloud.exec(NODE, ["podman", "inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "mariadb"])
    return shown.stdout.strip()


def synced(cloud) -> int:
    """How many members of the database say that they are synced."""
    question = ["mariadb", "-BNe", "show status like 'wsrep_local_state_comment'"]
    command = ["podman", "exec", "mariadb", *question]
    nodes = proof_nodes(cloud)
    return sum("Synced" in cloud.exec(node, command, check=False).stdout for node in nodes)


def proof_nodes(cloud) -> list[str]:
    return [node.name for node in cloud.nodes.values() if node.role == "controller"]


def refusal(cloud, node: str) -> str:
    """The reason for which a node's clusters do not spare it, as a program reads it."""
    answer = cloud.salt([node], "rollout_call.run", "cluster_member.may_stop", "kwargs={patience: 1}")[node]
    return answer.get("reason", "")


def test_a_copy_that_takes_longer_than_the_limit_is_waited_for(cloud, slow):
    wanted = wants(cloud, "1.0.1")
    began = time.monotonic()
    answer = apply(cloud)
    took = time.monotonic() - began
    print(f"   fed in {took:.0f} s, the limit being {LIMIT} s: {answer['comment']}")
    assert answer["result"] is True and "by SST" in answer["comment"], answer
    assert took > 2 * LIMIT
    assert proof.running_digests(cloud, NODE)["mariadb"] == wanted and synced(cloud) == 3


def test_a_copy_that_stands_still_is_left_alone_and_gone_on_with(cloud, slow):
    wanted = wants(cloud, "1.0.0")
    cloud.exec(NODE, ["sh", "-c", f"sed -i 's/over 600 kbytes/over 60 kbytes/' {_SLOW}"])
    cloud.exec(NODE, ["systemctl", "daemon-reload"])
    stop = ["nft", "add", "rule", "inet", "lab", "in", "tcp", "dport", "4444", "drop"]
    process = cloud.popen_master(
        ["salt", NODE, "state.apply", "openstack.control_plane", "-t", "600", "--out=quiet"]
    )
    there = ["sh", "-c", "podman top mariadb args 2>/dev/null | grep -q wsrep_sst_rsync"]
    assert wait_for(lambda: cloud.exec(NODE, there, check=False).returncode == 0, 120, 1)
    time.sleep(10)
    cloud.exec(NODE, stop)
    process.wait(300)
    before = started(cloud)
    answer = apply(cloud)
    assert answer["result"] is False and answer["reason"] == "COPY_STALLED", answer
    assert {refusal(cloud, node) for node in (NODE, OTHER)} == {"COPY_UNDER_WAY"}
    cloud.exec(NODE, ["nft", "flush", "table", "inet", "lab"])
    answer = apply(cloud)
    assert answer["result"] is True and started(cloud) == before, answer
    assert proof.running_digests(cloud, NODE)["mariadb"] == wanted and synced(cloud) == 3


@pytest.mark.parametrize(
    ("setting", "back", "reason"),
    [
        ("wsrep_desync = ON", "wsrep_desync = OFF", "SET_BY_OPERATOR"),
        (
            "wsrep_provider_pc_ignore_quorum = ON",
            "wsrep_provider_pc_ignore_quorum = OFF",
            "SET_BY_OPERATOR",
        ),
    ],
)
def test_a_setting_of_the_operator_has_its_own_word(cloud, setting, back, reason):
    client = ["podman", "exec", "mariadb", "mariadb", "-e"]
    cloud.exec(OTHER, [*client, f"SET GLOBAL {setting}"])
    try:
        assert refusal(cloud, NODE) == reason
    finally:
        cloud.exec(OTHER, [*client, f"SET GLOBAL {back}"])
    assert wait_for(lambda: refusal(cloud, NODE) == "", 60, 2)


def test_a_client_without_trust_has_its_own_word(cloud):
    append = [
        "podman",
        "exec",
        "mariadb",
        "sh",
        "-c",
        "cp /root/.my.cnf /root/kept; echo ssl-ca=/no >> /root/.my.cnf",
    ]
    cloud.exec(NODE, append)
    try:
        assert refusal(cloud, NODE) == "CLIENT_FAILED"
    finally:
        cloud.exec(NODE, ["podman", "exec", "mariadb", "mv", "/root/kept", "/root/.my.cnf"])
