"""The control plane never goes away: three controllers with real clusters are updated under load.

The tests follow one another on one cloud. Every figure is the clients' own (tests/lab/clusters/probe.py),
every fact is asked of the machines; the plain parallel restart at the end is what they are held against.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from .. import operator, proof, settings
from ..agreement import assert_agreed
from ..clusters import pacemaker, page
from ..clusters.probe import Probe
from ..enclosure import wait_for
from ..events import EventLog, most_in_flight

LAB_PROFILE = settings.CONTROLLERS
CONTROLLERS = ("ctl1", "ctl2", "ctl3")
ROUNDS = ["rabbitmq", "mariadb", "memcached", "keystone", "ovn-nb…"]
RESULT = settings.CHECKOUT / "build" / "control-plane.json"
GALERA, MESSAGES, IDENTITY = "mariadb_image", "rabbitmq_image", "keystone_api_image"
_BLOCK = "/etc/systemd/system/mariadb.service.d/lab-block.conf"
#: a member that starts after this was written reaches none of the others
_BLOCKED = """\
[Service]
ExecStartPre=/usr/sbin/nft "add table inet lab"
ExecStartPre=/usr/sbin/nft "add chain inet lab in { type filter hook input priority 0; }"
ExecStartPre=/usr/sbin/nft "add chain inet lab out { type filter hook output priority 0; }"
ExecStartPre=/usr/sbin/nft "add rule inet lab in tcp dport { 4444, 4567, 4568 } drop"
ExecStartPre=/usr/sbin/nft "add rule inet lab out tcp dport { 4444, 4567, 4568 } drop"
"""
_AGENT = "/usr/lib/ocf/resource.d/lab/Stuck"
_REFUSES = "/run/lab-refuses-to-stop"
#: a resource that does not stop while that file is there
_STUCK = f"""\
#!/bin/sh
case $1 in
meta-data) echo '<?xml version="1.0"?><resource-agent name="Stuck" version="1"><version>1.1</version>
<longdesc lang="en">Stays</longdesc><shortdesc lang="en">Stays</shortdesc><parameters/>
<actions><action name="start" timeout="20s"/><action name="stop" timeout="20s"/>
<action name="monitor" timeout="20s" interval="10s"/><action name="meta-data" timeout="5s"/></actions>
</resource-agent>' ;;
start) touch /run/lab-stuck ;;
stop) [ ! -e {_REFUSES} ] || {{ echo "ocf-exit-reason:it refuses" >&2; exit 1; }}; rm -f /run/lab-stuck ;;
monitor) [ -e /run/lab-stuck ] || exit 7 ;;
validate-all) ;;
*) exit 3 ;;
esac
"""
_WHOLE = 180  # seconds for a member to come back on a machine that is busy


@pytest.fixture(scope="module")
def figures():
    """What the clients saw, by what was done meanwhile; written down at the end, also when a test failed."""
    found: dict[str, dict] = {}
    yield found
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=1))


def images(cloud, version: str, *keys: str) -> dict[str, str]:
    return {key: cloud.releases[version]["images"][key] for key in keys}


def started(cloud, node: str, container: str) -> str:
    shown = cloud.exec(node, ["podman", "inspect", "--format", "{{.Id}} {{.State.StartedAt}}", container])
    return shown.stdout.strip()


def runs(cloud, node: str, container: str) -> str:
    """The reference that a container's digest is of, as the releases have it."""
    return proof.running_digests(cloud, node).get(container, "")


def boot_of(cloud, node: str) -> str:
    """What is another one after each boot."""
    return cloud.exec(node, ["cat", "/proc/sys/kernel/random/boot_id"]).stdout.strip()


def assert_nothing_lost(seen: dict) -> None:
    assert set(seen["rows_lost"].values()) == {0}, seen["rows_lost"]
    assert seen["messages_lost"] == 0
    assert seen["rows_committed"] > 0 and seen["messages_confirmed"] > 0


def assert_never_without_quorum(seen: dict) -> None:
    assert seen["samples"] > 0
    # A member that feeds another is a donor for a moment, also by IST: it has everything and serves.
    assert seen["fewest_serving"] >= 2, seen["members"]
    assert seen["fewest_brokers"] >= 2, seen["members"]
    assert seen["most_disturbed"] <= 1, seen["members"]


def told(title: str, seen: dict) -> None:
    print(
        f"\n== {title}: {seen['seconds']:.0f} s, {seen['samples']} samples: never below"
        f" {seen['fewest_serving']} database members ({seen['fewest_synced']} synced; below two for"
        f" {seen['below_two_synced_s']} s), {seen['fewest_brokers']} brokers; controllers disturbed at once:"
        f" {seen['most_disturbed']}"
    )
    for name in ("api", "writer", "reader", "publisher", "consumer"):
        one = seen[name]
        failed = f"{one['failed']} failed, {one['failed_after_retry']} also at a second try"
        print(f"   {name}: {one['count']} requests, {failed}, longest gap {one['longest_gap_s']} s")


def failed_run(cloud) -> dict:
    """The run's record after an update that has to fail."""
    done = operator.update(cloud, "orch.control_plane", check=False)
    assert done.returncode != 0, done.stdout
    return operator.status(cloud)["run"]


def test_a_whole_stage_under_load(cloud, figures):
    cloud.set_pillar(target_version="1.0.1")
    operator.update(cloud, "orch.ovn")
    with Probe(cloud) as probe, EventLog(cloud) as log:
        operator.update(cloud, "orch.control_plane")
    seen = figures["ours"] = probe.result
    told("our control plane stage", seen)
    steps = [event for event in log.steps(stage="control_plane") if event["step"] == "apply"]
    begun = [(event["round"], event["node"]) for event in steps if event["status"] == "started"]
    assert begun == [(part, node) for part in ROUNDS for node in CONTROLLERS]
    assert max(map(len, most_in_flight(log.steps(stage="control_plane"), set(CONTROLLERS)))) == 1
    back = log.steps(stage="control_plane", step="apply", status="succeeded", round="mariadb")
    print("  ", *(event["message"] for event in back), sep="; ")
    assert all("synced again, one of 3 by" in event["message"] for event in back), back
    assert seen["api"]["failed_after_retry"] == 0, seen["api"]
    assert seen["api"]["count"] > 1000
    assert_nothing_lost(seen)
    assert_never_without_quorum(seen)
    wanted = cloud.releases["1.0.1"]["images"]
    for node in CONTROLLERS:
        running = proof.running_digests(cloud, node)
        for container, key in proof.containers(cloud, node).items():
            assert running[container] == wanted[key].partition("@")[2], (node, container)
    assert pacemaker.holder(cloud) and pacemaker.bans(cloud) == []


def at_work(cloud) -> list[str]:
    """The controllers on which a state.apply runs."""
    found = cloud.salt("ctl*", "saltutil.is_running", "state.apply")
    return [node for node, jobs in found.items() if jobs]


def test_custom_images_reach_the_control_plane_at_once_and_two_shells_take_turns(cloud, figures):
    custom = images(cloud, "1.0.0", GALERA, MESSAGES, IDENTITY)
    cloud.set_pillar(target_version="1.0.1", custom_images=custom)
    apply = ["salt", "*", "state.apply", "openstack.control_plane", "--out=json", "--static", "-t", "900"]
    with Probe(cloud) as probe, ThreadPoolExecutor(2) as shells:
        first = shells.submit(cloud.master, apply, check=False)
        assert wait_for(lambda: len(at_work(cloud)) == len(CONTROLLERS), 60)
        # By a number the second shell's job waits on each node for the first's; by True it is told "queued".
        # Two that both wait, begun at the same instant, would wait for each other: Salt's own queue.
        second = shells.submit(cloud.master, [*apply, "queue=9"], check=False)
        both = [first.result(), second.result()]
    seen = figures["two state.apply at once"] = probe.result
    told("two `salt '*' state.apply` at the same time", seen)
    for done in both:
        answers = json.loads(done.stdout)
        assert set(answers) == set(CONTROLLERS), done.stdout + done.stderr
        for node, states in answers.items():
            assert all(state["result"] for state in states.values()), (node, states)
    assert_never_without_quorum(seen)
    assert_nothing_lost(seen)
    for node in CONTROLLERS:
        running = proof.running_digests(cloud, node)
        for container, key in (("mariadb", GALERA), ("rabbitmq", MESSAGES), ("keystone", IDENTITY)):
            assert running[container] == custom[key].partition("@")[2], (node, container)
    # The same images through the orchestration: nothing is left to do.
    before = {node: started(cloud, node, "mariadb") for node in CONTROLLERS}
    operator.update(cloud, "orch.control_plane")
    assert {node: started(cloud, node, "mariadb") for node in CONTROLLERS} == before


def test_what_a_release_asks_for_first_is_asked(cloud):
    flags = {"service": "rabbitmq", "call": "rabbitmq_cluster.feature_flags"}
    checks = [flags | {"arguments": {"enabled": ["khepri_db"]}}]  # which is off in a new cluster
    cloud.set_pillar(target_version="1.0.1", releases={"1.0.1": {"checks": checks}})
    before = {node: started(cloud, node, "rabbitmq") for node in CONTROLLERS}
    done = operator.update(cloud, "orch.control_plane", check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "RELEASE_CHECK" in said and "khepri_db" in said, said
    assert {node: started(cloud, node, "rabbitmq") for node in CONTROLLERS} == before


def test_with_a_member_down_nothing_begins(cloud):
    cloud.exec("ctl3", ["systemctl", "stop", "mariadb.service"])
    before = {node: proof.running_digests(cloud, node) for node in CONTROLLERS}
    cloud.set_pillar(target_version="1.0.1")
    done = operator.update(cloud, "orch.control_plane", check=False)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "QUORUM_AT_RISK" in said and cloud.nodes["ctl3"].address in said, said
    assert {node: proof.running_digests(cloud, node) for node in CONTROLLERS} == before
    cloud.exec("ctl3", ["systemctl", "start", "mariadb.service"])
    assert wait_for(lambda: synced(cloud) == 3, _WHOLE, 2), "the member does not come back"


def synced(cloud) -> int:
    """How many members of the database say of themselves that they are synced."""
    question = [
        "podman",
        "exec",
        "mariadb",
        "mariadb",
        "-BNe",
        "show status like 'wsrep_local_state_comment'",
    ]
    return sum("Synced" in cloud.exec(node, question, check=False).stdout for node in CONTROLLERS)


def bootstrap(cloud) -> None:
    """What an operator does when no member of a database finds its cluster: stop all, and begin with one.

    Members that run without a quorum do not look at their files again, hence the stop.
    """
    state = "/var/lib/mysql/grastate.dat"
    for node in CONTROLLERS:
        cloud.exec(node, ["systemctl", "stop", "mariadb.service"])
    cloud.exec("ctl1", ["sed", "-i", "s/safe_to_bootstrap: 0/safe_to_bootstrap: 1/", state])
    for node in CONTROLLERS:
        cloud.exec(node, ["systemctl", "start", "--no-block", "mariadb.service"])


def test_a_member_that_does_not_come_back_pauses_and_the_others_are_left_alone(cloud, figures):
    custom = images(cloud, "1.0.0", IDENTITY)
    impatient = {"mariadb": page.services()["mariadb"] | {"health": {"timeout": 20}}}
    cloud.set_pillar(target_version="1.0.1", services=impatient, custom_images=custom)
    others = {node: started(cloud, node, "mariadb") for node in CONTROLLERS[1:]}
    cloud.exec("ctl1", ["mkdir", "-p", _BLOCK.rpartition("/")[0]])
    cloud.exec("ctl1", ["tee", _BLOCK], stdin=_BLOCKED)
    cloud.exec("ctl1", ["systemctl", "daemon-reload"])
    with Probe(cloud) as probe:
        run = failed_run(cloud)
    seen = figures["a member that does not come back"] = probe.result
    told("a database member that does not come back", seen)
    assert (run["state"], run["reason"]) == ("paused", "QUORUM_NOT_RESTORED"), run
    assert "ctl1" in run["message"] and "does not answer" in run["message"], run["message"]
    assert {node: started(cloud, node, "mariadb") for node in CONTROLLERS[1:]} == others
    assert seen["api"]["failed_after_retry"] == 0, seen["api"]
    assert_never_without_quorum(seen)
    cloud.exec("ctl1", ["rm", _BLOCK])
    cloud.exec("ctl1", ["nft", "delete", "table", "inet", "lab"])
    cloud.exec("ctl1", ["systemctl", "daemon-reload"])
    assert wait_for(lambda: synced(cloud) == 3, _WHOLE, 2), "the member does not come back"
    cloud.set_pillar(target_version="1.0.1", custom_images=custom)
    operator.update(cloud, "orch.control_plane")
    wanted = images(cloud, "1.0.1", GALERA)[GALERA].partition("@")[2]
    assert {runs(cloud, node, "mariadb") for node in CONTROLLERS} == {wanted}


def test_a_resource_that_fails_to_stop_is_named_and_the_address_stays_usable(cloud, figures):
    for node in CONTROLLERS:
        cloud.exec(node, ["mkdir", "-p", _AGENT.rpartition("/")[0]])
        cloud.exec(node, ["tee", _AGENT], stdin=_STUCK)
        cloud.exec(node, ["chmod", "755", _AGENT])
    cloud.exec("ctl1", ["pcs", "--force", "resource", "create", "stuck", "ocf:lab:Stuck"])
    cloud.exec("ctl1", ["pcs", "resource", "group", "add", "vips", pacemaker.VIP, "stuck"])
    cloud.exec("ctl1", ["crm_resource", "--wait", "--timeout=60"])
    holder = pacemaker.holder(cloud)
    cloud.exec(holder, ["touch", _REFUSES])
    cloud.set_pillar(target_version="1.0.1")  # keystone goes back to the release's image
    with Probe(cloud) as probe:
        run = failed_run(cloud)
    seen = figures["a resource that fails to stop"] = probe.result
    told("a resource that fails to stop", seen)
    assert (run["state"], run["reason"]) == ("paused", "RESOURCE_STUCK"), run
    assert "stuck" in run["message"] and holder in run["message"], run["message"]
    assert pacemaker.bans(cloud) == [] and pacemaker.holder(cloud) == holder
    assert seen["api"]["failed_after_retry"] == 0, seen["api"]
    assert_never_without_quorum(seen)
    cloud.exec(holder, ["rm", _REFUSES])
    cloud.exec("ctl1", ["pcs", "resource", "cleanup"])
    cloud.exec("ctl1", ["crm_resource", "--wait", "--timeout=60"])
    operator.update(cloud, "orch.control_plane")
    cloud.exec("ctl1", ["pcs", "resource", "delete", "stuck"])
    wanted = images(cloud, "1.0.1", IDENTITY)[IDENTITY].partition("@")[2]
    assert {runs(cloud, node, "keystone") for node in CONTROLLERS} == {wanted}


def test_packages_move_on_controllers_in_standby_and_an_operators_standby_stays(cloud, figures):
    cloud.exec("ctl3", ["crm_standby", "--node", "ctl3", "--update", "on"])
    policies = {"controller": {"drain": "standby"}}
    # its glibc, and its kernel, come into use by a reboot only
    cloud.set_pillar(target_version="1.0.1", policies=policies, system={"reboot": "when_required"})
    before = {node: boot_of(cloud, node) for node in CONTROLLERS}
    with Probe(cloud) as probe, EventLog(cloud) as log:
        operator.update(cloud, "orch.system")
    seen = figures["packages of controllers"] = probe.result
    told("packages of controllers in standby, each of them rebooted", seen)
    steps = log.steps(stage="system", status="succeeded")
    for node in CONTROLLERS:
        taken = [event["step"] for event in steps if event["node"] == node and event["step"] != "minion"]
        assert taken == ["drain", "apply", "reboot", "verify", "restore"], taken
        assert boot_of(cloud, node) != before[node], node
    assert max(map(len, most_in_flight(log.steps(stage="system"), set(CONTROLLERS)))) == 1
    assert pacemaker.in_standby(cloud) == {"ctl3"} and synced(cloud) == 3
    # Glance asks a token cache that has gone with its machine; the others have to serve all the same.
    assert seen["api"]["failed_after_retry"] < seen["api"]["count"] / 50, seen["api"]
    assert_never_without_quorum(seen)
    assert_nothing_lost(seen)
    cloud.exec("ctl3", ["crm_standby", "--node", "ctl3", "--update", "off"])
    cloud.exec("ctl1", ["crm_resource", "--wait", "--timeout=60"])


def test_a_turn_of_a_dead_node_ends(cloud):
    took = ["publish.runner", "controller_turn.take", "[dead-job, a test]"]
    answer = cloud.salt(["ctl2"], *took)
    assert answer["ctl2"]["node"] == "ctl2", answer
    cloud.set_pillar(target_version="1.0.1", custom_images=images(cloud, "1.0.0", "infra_memcached_image"))
    began = time.time()
    cloud.master(["salt", "ctl1", "state.apply", "openstack.control_plane", "-t", "300"])
    assert (
        time.time() > answer["ctl2"]["until"] > began
    )  # it waited for the end, and no longer held by anyone
    wanted = images(cloud, "1.0.0", "infra_memcached_image")["infra_memcached_image"].partition("@")[2]
    assert runs(cloud, "ctl1", "memcached") == wanted and runs(cloud, "ctl2", "memcached") != wanted


def test_a_whole_update_is_what_was_planned(cloud):
    cloud.add_release("1.0.6", like="1.0.1", images=images(cloud, "1.0.0", GALERA, MESSAGES, IDENTITY))
    cloud.set_pillar(target_version="1.0.6")
    plan = operator.plan(cloud)
    with EventLog(cloud) as log:
        operator.update(cloud)
    assert_agreed(plan, log.steps())
    rounds = [one["name"] for stage in plan["stages"][1:2] for one in stage["rounds"]]
    assert len(rounds) >= 3 and rounds == [name for name in ROUNDS if name in rounds], rounds


def test_a_plain_restart_of_all_at_once_is_what_ours_is_held_against(cloud, figures):
    units = [f"{name}.service" for name in proof.containers(cloud, "ctl1") if not name.startswith("ovn_")]
    restart = ["systemctl", "restart", *units]
    with Probe(cloud) as probe:
        with ThreadPoolExecutor(len(CONTROLLERS)) as shells:
            list(shells.map(lambda node: cloud.exec(node, restart, timeout=600, check=False), CONTROLLERS))
        if not wait_for(lambda: synced(cloud) == 3, 90, 2):
            bootstrap(cloud)
        assert wait_for(lambda: synced(cloud) == 3, 300, 2), "the cluster does not come back"
    seen = figures["plain parallel restart"] = probe.result
    told("plain restart of all controllers' services at once", seen)
    assert seen["api"]["failed_after_retry"] > figures["ours"]["api"]["failed_after_retry"]
    assert seen["fewest_serving"] < 2
