"""Open vSwitch on a real machine: it forwards while its packages move, also when dnf dies in the middle.

What is installed runs from a reload on.
"""

from __future__ import annotations

import pytest

from tests.lab import half_transaction
from tests.lab.enclosure import wait_for

from . import forwarding

UNIT = "openvswitch.service"
OLD, NEW = "3.4.0", "3.5.0"
SWITCH = ("openvswitch3.4", "openvswitch3.5", "rhosp-openvswitch", "openvswitch-selinux-extra-policy")


def switch_packages(node):
    installed = node.packages()
    return {name: installed[name] for name in SWITCH if name in installed}


def running(node):
    return [
        node.out(["ovs-appctl", "-t", daemon, "version"]).splitlines()[0].split()[-1]
        for daemon in ("ovsdb-server", "ovs-vswitchd")
    ]


def switch_pid(node):
    return node.out(["cat", "/run/openvswitch/ovs-vswitchd.pid"])


def schema(node):
    return node.out(["ovsdb-client", "get-schema-version", "unix:/run/openvswitch/db.sock", "Open_vSwitch"])


def remotes(node):
    """Where the database listens, and whether it does there: someone else's tools ask it on this port."""
    listed = sorted(node.out(["ovs-appctl", "-t", "ovsdb-server", "ovsdb-server/list-remotes"]).split())
    return listed, node.out(["ovsdb-client", "--timeout=10", "list-dbs", "tcp:127.0.0.1:6640"]).split()


def left_behind(node):
    """What a handover makes for its own use."""
    places = ["/run/openvswitch", "/etc/openvswitch", "/var/lib/openvswitch"]
    names = ["-name", "*before-*", "-o", "-name", "*after-*", "-o", "-name", ".handover-*"]
    return node.out(["find", *places, "(", *names, ")", "!", "-type", "l"])


def states(node, unit=UNIT):
    """Whether the service is enabled; whether it and its daemons are active, which may be not."""
    units = (unit, "ovsdb-server.service", "ovs-vswitchd.service")
    return [
        node.out(["systemctl", "is-enabled", unit]),
        *(node.exec(["systemctl", "is-active", one], check=False).stdout.strip() for one in units),
    ]


RUNNING = ["enabled", "active", "active", "active"]


@pytest.fixture(scope="module")
def story(node):
    """The ovs stage of 1.0.1 under traffic: killed in its middle, run again, then the switch reloaded."""
    forwarding.build(node)
    node.edit(target_version="1.0.1")
    node.converge("openstack.prefetch")
    node.exec(["ovs-vsctl", "set-manager", "ptcp:6640:127.0.0.1"])
    found = {"pid": switch_pid(node), "flows": forwarding.flows(node), "schema": schema(node)}
    found["remotes"] = remotes(node)
    forwarding.start(node)
    half_transaction.arm(node.lab, "cmp1", "/usr/share/rhosp-openvswitch/VERSION", "3.5")
    found["failure"] = node.failure("openstack.ovs")
    found["killed"] = half_transaction.disarm(node.lab, "cmp1")
    found["half"] = switch_packages(node), states(node), switch_pid(node)
    found["half_status"] = node.status()
    found["predicted"] = node.predict("openstack.ovs")
    found["changed"] = node.converge("openstack.ovs")
    found["loss"] = forwarding.stop(node)
    found["whole"] = switch_packages(node), states(node), switch_pid(node)
    return found


def test_dnf_died_in_the_middle_and_the_node_is_reported(story):
    assert "dnf" in story["killed"]
    assert story["failure"].startswith("PACKAGE_FAILED: ")
    packages, _, _ = story["half"]
    assert "openvswitch3.4" in packages and "openvswitch3.5" in packages, packages
    assert story["half_status"]["differences"]["ovs"]


def test_the_switch_forwarded_all_the_time(story):
    assert story["loss"].sent > 100 and story["loss"].lost == 0, story["loss"]
    assert story["half"][1:] == (RUNNING, story["pid"])
    assert story["whole"][1:] == (RUNNING, story["pid"])


def test_the_next_run_converges_and_leaves_nothing_twice(node, story):
    assert story["predicted"] == story["changed"] == {"ovs packages"}
    wanted = node.releases["1.0.1"]["packages"]
    assert story["whole"][0] == {name: [wanted[name]] for name in SWITCH if name in wanted}
    assert node.predict("openstack.ovs") == set()


def test_the_old_switch_that_still_runs_is_stale_and_no_failure(node, story):
    assert running(node) == [OLD, OLD]
    status = node.status()
    assert status["switch"] == {"running": OLD, "installed": NEW, "stale": True}
    assert status["stages"]["ovs"] == "done"
    assert not [line for line in status["health"] if "data path" in line]


def test_a_reload_under_workloads_is_refused_before_anything_is_touched(node, story):
    node.exec(["ovs-vsctl", "set", "interface", "port1", "external_ids:iface-id=vm1"])
    node.edit(target_version="1.0.1", ovs={"reload": True})
    assert node.failure("openstack.ovs").startswith("NODE_OCCUPIED: cmp1: ")
    assert (running(node), switch_pid(node)) == ([OLD, OLD], story["pid"])


@pytest.fixture
def inconvertible(node, story):
    """A schema that the database cannot be converted to."""
    place = "/usr/share/openvswitch/vswitch.ovsschema"
    node.exec(["cp", place, "/run/schema"])
    change = r's/"datapath_type": {\s*"type": "string"/"datapath_type": {"type": "integer"/'
    node.exec(["sed", "-i", "-z", change, place])
    yield
    node.exec(["cp", "/run/schema", place])


def test_a_conversion_that_would_fail_is_refused_before_the_reload(node, story, inconvertible):
    node.edit(target_version="1.0.1", ovs={"reload": True, "userspace": "accept"})
    assert "cannot be converted" in node.failure("openstack.ovs")
    assert (running(node), switch_pid(node), schema(node)) == ([OLD, OLD], story["pid"], story["schema"])
    assert states(node) == RUNNING


def test_a_reload_brings_the_new_switch_with_the_old_flows(node, story):
    node.edit(target_version="1.0.1", ovs={"reload": True, "userspace": "accept"})
    assert node.predict("openstack.ovs") == {"ovs packages"}
    forwarding.start(node)
    assert node.converge("openstack.ovs") == {"ovs packages"}
    loss = forwarding.stop(node)
    print(f"reload: {loss}")
    assert running(node) == [NEW, NEW] and states(node) == RUNNING
    assert forwarding.flows(node) == story["flows"]
    assert schema(node) != story["schema"]
    assert node.out(["ovs-vsctl", "get", "open_vswitch", ".", "external_ids:system-id"]).strip('"') == "cmp1"
    assert "flow-restore-wait" not in node.out(["ovs-vsctl", "get", "open_vswitch", ".", "other_config"])
    versions = node.out(["ovs-vsctl", "get", "open_vswitch", ".", "ovs_version", "db_version"]).split()
    assert [one.strip('"') for one in versions] == [NEW, schema(node)]
    assert remotes(node) == story["remotes"]
    node.exec(["ip", "netns", "exec", "probe1", "ping", "-c3", "-i0.2", "-W5", "192.0.2.2"])


def test_nothing_is_left_to_do_and_the_node_is_no_longer_stale(node, story):
    assert node.predict("openstack.ovs") == set()
    assert node.call("openstack_node.facts", "fresh=True")["switch"]["stale"] is False


PROGRAM, SERVER = "/usr/sbin/ovs-vswitchd", "/usr/sbin/ovsdb-server"
#: says its version and does nothing else
BROKEN = "#!/bin/sh\n[ $1 = --version ] && exec {0}.whole --version\necho no such option >&2\nexit 1\n"


def replace_program(node, program=PROGRAM):
    """Have another file of the same program, as a rebuilt package of the same version brings."""
    node.exec(["cp", "--archive", program, f"{program}.new"])
    node.exec(["mv", f"{program}.new", program])


def spoil_program(node, program):
    """Have a program that does not start; `mv program.whole program` mends it."""
    node.exec(["cp", "--archive", program, f"{program}.whole"])
    node.exec(["tee", f"{program}.new"], stdin=BROKEN.format(program))
    node.exec(["chmod", "755", f"{program}.new"])
    node.exec(["mv", f"{program}.new", program])


def everything(node):
    """What a handover has to keep: flows, groups, meters, port numbers."""
    asked = [f"dump-{kind}" for kind in ("groups", "meters", "ports-desc")]
    dumps = [node.out(["ovs-ofctl", "-O", "OpenFlow15", verb, forwarding.BRIDGE]) for verb in asked]
    kept = [line for dump in dumps for line in dump.splitlines() if "xid=" not in line]
    return forwarding.flows(node), kept


def followed(node, daemon="ovs-vswitchd"):
    """The process that systemd takes for the daemon, if it is its child, and the unit has no other."""
    unit = f"{daemon}.service"
    pid = node.out(["systemctl", "show", "--property=MainPID", "--value", unit])
    assert node.out(["cat", f"/run/openvswitch/{daemon}.pid"]) == pid
    assert node.out(["cat", f"/sys/fs/cgroup/system.slice/{unit}/cgroup.procs"]) == pid
    assert node.out(["ps", "--pid", pid, "--format", "ppid=,comm="]).split() == ["1", daemon]
    return pid


def test_the_services_follow_what_was_handed_over(node, story):
    assert followed(node) != story["pid"] and followed(node, "ovsdb-server")
    assert len(node.out(["pidof", "ovs-vswitchd"]).split()) == 1
    assert not left_behind(node)
    assert "ovs-ctl" in node.out(["systemctl", "show", "--property=ExecReload", "ovs-vswitchd.service"])


def test_a_second_handover_keeps_groups_and_meters_too(node, story):
    ofctl = ["ovs-ofctl", "-O", "OpenFlow15"]
    node.exec([*ofctl, "add-group", forwarding.BRIDGE, "group_id=7,type=all,bucket=output:1"])
    node.exec(
        [*ofctl, "add-meter", forwarding.BRIDGE, "meter=3,pktps,burst,bands=type=drop,rate=9,burst_size=9"]
    )
    flow = "cookie=0x7,priority=9,udp,udp_dst=9,actions=meter:3,group:7"
    node.exec([*ofctl, "add-flow", forwarding.BRIDGE, flow])
    before, pid = everything(node), followed(node)
    replace_program(node)
    forwarding.start(node)
    done = node.call("ovs.reload")
    print(f"second handover: {done}, {forwarding.stop(node)}")
    assert done["ovs-vswitchd"]["how"].startswith("handed over: ")
    assert everything(node) == before and followed(node) != pid
    assert states(node) == RUNNING
    node.exec([*ofctl, "del-flows", forwarding.BRIDGE, "cookie=0x7/-1"])


def watched(node, state, forwarding):
    """Whether BFD's session of watch1 is in that state, and its interface taken for alive or not."""
    said = node.out(["ovs-appctl", "bfd/show", "watch1"])
    return f"Local Session State: {state}" in said and f"Forwarding: {forwarding}" in said


def test_what_bfd_watches_is_alive_after_a_handover_and_still_watched(node, story):
    node.exec(["ip", "link", "add", "watch1", "type", "veth", "peer", "name", "watch2"])
    for name in ("watch1", "watch2"):
        node.exec(["ip", "link", "set", name, "up"])
        bfd = ["set", "interface", name, "bfd:enable=true"]
        node.exec(["ovs-vsctl", "add-port", forwarding.BRIDGE, name, "--", *bfd])
    assert wait_for(lambda: watched(node, "up", "true"), 30)
    replace_program(node)
    how = node.call("ovs.reload")["ovs-vswitchd"]["how"]
    assert how.startswith("handed over: ") and "not alive" not in how
    assert watched(node, "up", "true")
    node.exec(["ovs-vsctl", "set", "interface", "watch2", "bfd:enable=false"])
    assert wait_for(lambda: watched(node, "down", "false"), 30)
    for name in ("watch1", "watch2"):
        node.exec(["ovs-vsctl", "del-port", name])
    node.exec(["ip", "link", "delete", "watch1"])


@pytest.mark.parametrize("broken", [SERVER, PROGRAM])
def test_what_does_not_start_leaves_the_old_switch_forwarding_and_its_database(node, story, broken):
    replace_program(node, SERVER)
    before, pids = everything(node), (followed(node), followed(node, "ovsdb-server"))
    spoil_program(node, broken)
    forwarding.start(node)
    try:
        said = node.refusal("ovs.reload")
        node.exec(["ovs-vsctl", "--timeout=10", "set", "open_vswitch", ".", "external_ids:answers=yes"])
    finally:
        loss = forwarding.stop(node)
        node.exec(["mv", f"{broken}.whole", broken])
    assert "OVS_FAILED: " in said and "no such option" in said and "the old switch goes on" in said
    assert loss.sent > 20 and loss.lost == 0, loss
    assert everything(node) == before and states(node) == RUNNING
    assert (followed(node), followed(node, "ovsdb-server")) == pids and not left_behind(node)
    assert "flow-restore-wait" not in node.out(["ovs-vsctl", "get", "open_vswitch", ".", "other_config"])
    assert "ovs-ctl" in node.out(["systemctl", "show", "--property=ExecReload", "ovs-vswitchd.service"])
    assert remotes(node) == story["remotes"]


def test_a_database_server_alone_is_renewed_with_the_switch_that_needs_it(node, story):
    node.call("ovs.reload")
    before, pids = everything(node), (followed(node), followed(node, "ovsdb-server"))
    replace_program(node, SERVER)
    done = node.call("ovs.reload")
    assert list(done) == ["ovsdb-server"] and done["ovsdb-server"]["how"].startswith("handed over: ")
    assert followed(node) != pids[0] and followed(node, "ovsdb-server") != pids[1]
    assert everything(node) == before and remotes(node) == story["remotes"] and not left_behind(node)
    assert node.out(["ovs-vsctl", "get", "open_vswitch", ".", "external_ids:answers"]) == "yes"


def test_after_a_handover_the_service_stops_as_it_does_otherwise(node, story):
    """A daemon that leaves its pidfile is waited for: two seconds each, in which nothing forwards."""
    node.exec(["systemctl", "stop", UNIT])
    assert wait_for(lambda: not node.out(["find", "/run/openvswitch", "-name", "*.pid"]), 30)
    assert wait_for(lambda: states(node)[2:] == ["inactive", "inactive"], 30)
    node.exec(["systemctl", "start", UNIT])
    assert wait_for(lambda: states(node) == RUNNING, 30)
    node.exec(["ovs-ofctl", "add-flows", forwarding.BRIDGE, "-"], stdin="\n".join(story["flows"]) + "\n")
    assert wait_for(lambda: forwarding.flows(node) == story["flows"], 30)


def test_a_data_path_that_is_not_what_it_was_is_named_until_it_is_back(node, story):
    node.call("datapath.record")
    node.exec(["ovs-ofctl", "del-flows", forwarding.BRIDGE])
    single = node.call("state.single", "datapath.verified", "name=after", "timeout=1")
    said = next(iter(single.values()))["comment"]
    assert said.startswith("DATAPATH_BROKEN: cmp1: ") and f"bridge {forwarding.BRIDGE}: 0 flows" in said
    assert any(forwarding.BRIDGE in line for line in node.call("openstack_node.facts")["datapath"])
    node.exec(["ovs-ofctl", "add-flows", forwarding.BRIDGE, "-"], stdin="\n".join(story["flows"]) + "\n")
    assert node.converge("openstack.ovs") == set()
    assert node.call("datapath.missing") == []
