"""The handover's program, run for real between fakes of Open vSwitch's programs."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from openstack_rollout.node.switch_handover import NotPossible
from openstack_rollout.node.switch_handover.process import Process

from .host import Host, wait_for


def assert_the_old_one_goes_on(host: Host) -> None:
    assert host.pid() == host.old
    assert wait_for(lambda: host.switches() == [host.old]), host.switches()
    assert not (host.run / "waiting").exists() and not host.given("bundle")
    assert not list(host.run.glob("*.after-*"))


def test_everything_is_at_the_new_switch_and_its_pidfile_is_the_services(host):
    status, report = host.hand_over()
    assert (status, report["outcome"], report["error"]) == (0, "done", "")
    assert report["flows"] == {"br-int": 2} and report["gap"] > 0
    assert host.pid() != host.old and wait_for(lambda: host.switches() == [host.pid()])
    assert host.given("bundle") == [
        "flow delete_strict table=0,priority=0",
        "group add group_id=7,type=all,bucket=bucket_id:0,actions=output:1",
        "flow add priority=5,in_port=1,actions=output:2",
        "flow add cookie=0x7, priority=1,ip,nw_proto=2,tp_src=17 actions=drop",
    ]
    assert host.given("add-tlv-map") == ["{class=0x102,type=0x80,len=4}->tun_metadata0"]
    assert host.given("add-meter") == ["meter=3,pktps,burst,bands=type=drop,rate=100,burst_size=10"]
    assert not (host.run / "waiting").exists()


def session(name, state):
    return (
        f"---- {name} ----\n\tForwarding: true\n\tLocal Session State: {state}\n\tRemote Session State: up\n"
    )


@pytest.mark.parametrize(
    ("shown", "taken"),
    [
        (session("ovn-gtw1", "up") + session("ovn-gtw2", "up"), ["true", "normal"]),
        (session("ovn-gtw1", "up") + session("ovn-gtw2", "down"), ["ovn-gtw1 true", "normal"]),
        (session("ovn-gtw1", "down"), []),
        ("", []),
    ],
)
def test_tunnels_that_bfd_found_alive_stay_so_until_it_can_tell_again(host, shown, taken):
    (host.run / "bfd").write_text(shown)
    assert host.hand_over()[0] == 0
    told = host.run / "bfd-told"
    assert (told.read_text().splitlines() if told.exists() else []) == [
        f"{host.pid()} {one}" for one in taken
    ]


def test_a_second_handover_has_a_pidfile_of_its_own_name(host):
    host.hand_over()
    second = host.pid()
    assert f"--pidfile={host.run}/ovs-vswitchd.after-{host.old}/ovs-vswitchd.pid" in host.arguments(second)
    status, _ = host.hand_over()
    assert status == 0 and host.pid() not in (host.old, second)
    words = host.arguments(host.pid())
    assert f"--pidfile={host.run}/ovs-vswitchd.after-{second}/ovs-vswitchd.pid" in words
    assert len(words) == len(set(words)) and words[:2] == ["unix:db", "--mlockall"]


def test_a_new_switch_that_ends_takes_the_services_pidfile_with_it(host):
    assert host.hand_over()[0] == 0 and host.hand_over()[0] == 0
    os.kill(host.pid(), signal.SIGTERM)
    assert wait_for(lambda: not host.pidfile.exists())


@pytest.mark.parametrize(
    ("mode", "error"), [("dies", "cannot start"), ("changes", "flows change all the time")]
)
def test_what_fails_beforehand_leaves_the_old_switch(host, mode, error):
    host.fails(mode)
    status, report = host.hand_over()
    assert status == 1 and report["outcome"] == "nothing touched" and error in report["error"]
    assert_the_old_one_goes_on(host)


def test_a_database_without_a_bridge_that_answers_leaves_the_old_switch(host):
    (host.run / "bin/ovs-ofctl").write_text("#!/bin/sh\necho no such bridge >&2\nexit 1\n")
    status, report = host.hand_over()
    assert status == 1 and "no such bridge" in report["error"]
    assert_the_old_one_goes_on(host)


def test_flows_that_ovs_ofctl_does_not_take_leave_the_old_switch(host):
    program = host.run / "bin/ovs-ofctl"
    refuse = 'if "bundle" in sys.argv:\n    sys.exit("unknown keyword")\n'
    program.write_text(program.read_text().replace('if __name__ == "__main__":\n', f"{refuse}if True:\n"))
    status, report = host.hand_over()
    assert status == 1 and "unknown keyword" in report["error"]
    assert_the_old_one_goes_on(host)


def test_a_switch_that_cannot_be_started_like_the_old_one_is_not_possible(host, monkeypatch):
    def denied(*_arguments, **_options):
        raise PermissionError("by the kernel's policy")

    monkeypatch.setattr(subprocess, "Popen", denied)
    with pytest.raises(NotPossible, match="by the kernel's policy"):
        Process(host.old).start_another(host.run / "new.pid", None)


def test_a_new_switch_that_dies_when_it_takes_over_is_for_the_service_to_start(host):
    host.fails("dies late")
    status, report = host.hand_over()
    assert (status, report["outcome"]) == (1, "broken off") and "the new switch ended" in report["error"]
    assert wait_for(lambda: not host.switches()) and not (host.run / "waiting").exists()


@pytest.mark.parametrize("host", ["hangs"], indirect=True)
def test_an_old_switch_that_does_not_end_is_killed_and_its_socket_not_mistaken_for_the_new_ones(host):
    host.fails("")
    status, report = host.hand_over(leaves=0.5)
    assert (status, report["outcome"], report["error"]) == (0, "done", "") and report["gap"] > 0.5
    assert host.given("bundle") and wait_for(lambda: host.switches() == [host.pid()])


def test_flows_that_the_new_switch_refuses_together_are_given_one_by_one(host):
    host.fails("refuses")
    status, report = host.hand_over()
    assert (status, report["outcome"]) == (0, "done") and "OFPT_ERROR: nonsense" in report["error"]
    assert len(host.given("add-flows")) == 2 and len(host.given("add-groups")) == 1
    assert not (host.run / "waiting").exists()


def test_a_switch_that_a_killed_handover_left_waiting_is_ended(host):
    stray = host.run / "ovs-vswitchd.after-1" / "ovs-vswitchd.pid"
    stray.parent.mkdir()
    start = ["ovs-vswitchd", "unix:db", f"--pidfile={stray}", "--detach"]
    process = subprocess.Popen(start, env=host.environment, stderr=subprocess.DEVNULL)
    assert wait_for(stray.exists)
    left = int(stray.read_text())
    assert host.hand_over()[0] == 0
    assert left not in host.switches() and wait_for(lambda: host.switches() == [host.pid()])
    process.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has others wait")
def test_an_old_switch_that_a_killed_handover_left_urgent_is_so_no_more(host):
    os.sched_setscheduler(host.old, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    host.fails("dies")
    assert host.hand_over()[0] == 1
    assert_the_old_one_goes_on(host)
    assert os.sched_getscheduler(host.old) == os.SCHED_OTHER
