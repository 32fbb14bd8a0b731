"""Why Nova did not do what it was asked: where its words are, and which remedy they have."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from openstack_rollout.cloud import faults
from openstack_rollout.cloud.api import Cloud
from openstack_rollout.errors import REASONS


class Refused(Exception):
    http_status = 404


def event(result, details):
    return SimpleNamespace(result=result, details=details)


def cloud(fault=None, actions=(), events=()):
    def server_actions(server_id):
        if actions is None:
            raise Refused
        return iter([SimpleNamespace(action=one, request_id=f"req-{one}") for one in actions])

    def get_server_action(request_id, server_id):
        assert request_id == f"req-{actions[-1]}"
        return SimpleNamespace(events=list(events))

    made = Cloud("x")
    made._local.connection = SimpleNamespace(
        compute=SimpleNamespace(
            get_server=lambda server_id: SimpleNamespace(fault=fault),
            server_actions=server_actions,
            get_server_action=get_server_action,
        )
    )
    return made


def test_the_fault_of_a_server_in_error_is_told():
    assert faults.why(cloud({"code": 500, "message": "No valid host was found. "}), "vm") == (
        "No valid host was found"
    )


def test_of_a_server_that_runs_on_the_event_that_failed_is_told():
    events = [event("Success", None), event("Error", "Migration pre-check error: CPU")]
    assert faults.why(cloud(None, ["reboot", "live-migration"], events), "vm") == (
        "Migration pre-check error: CPU"
    )


@pytest.mark.parametrize(("actions", "events"), [((), ()), (["migrate"], [event("Error", None)]), (None, ())])
def test_a_nova_that_does_not_tell_is_no_failure(actions, events):
    assert faults.why(cloud(None, actions, events), "vm") == ""


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("No valid host was found. There are not enough hosts available.", "SERVERS_UNMOVABLE"),
        ("Unacceptable CPU info: CPU doesn't have compatibility.", "SERVERS_UNMOVABLE"),
        ("CPU doesn't have compatibility.\n\n0\n\nRefer to http://libvirt.org/html", "SERVERS_UNMOVABLE"),
        ("Migration pre-check error: Cannot block migrate instance vm", "SERVERS_UNMOVABLE"),
        ("Destination host cmp2 is not compatible: Unable to migrate to it", "SERVERS_UNMOVABLE"),
        ("Unable to migrate instance (vm) to current host (cmp1).", "SERVERS_UNMOVABLE"),
        ("Quota exceeded for cores,ram: Requested 4, but already used 8 of 10 cores", "LIMIT_REACHED"),
        ("Quota exceeded for resources: ['port'].", "LIMIT_REACHED"),
        ("No more IP addresses available on network 7f0c.", "LIMIT_REACHED"),
        ("Timed out waiting for a reply to message ID 3f2a", "MESSAGE_BUS_SILENT"),
        ("Migration pre-check error: Timed out waiting for a reply to message ID 3f2a", "MESSAGE_BUS_SILENT"),
        ("Binding failed for port 4c1d, please check neutron logs for more information.", "NO_SPARE"),
        ("Port binding failed for port 4c1d", "NO_SPARE"),
        ("Compute service of cmp2 is unavailable at this time.", "NO_SPARE"),
        ("something that nobody has seen", ""),
    ],
)
def test_the_remedy_is_that_of_the_cause(said, reason):
    told = faults.remedies([f"vm: its migration to cmp2 ended as error: {said}"], "DRAIN_FAILED")
    assert told == (f"; {reason}: {REASONS[reason]}" if reason else "")


def test_each_remedy_is_given_once():
    lines = ["a: No valid host was found", "b: No valid host was found", "c: Quota exceeded for cores"]
    told = faults.remedies(lines, "DRAIN_FAILED")
    assert told.count("SERVERS_UNMOVABLE") == told.count("LIMIT_REACHED") == 1
    assert "SERVERS_UNMOVABLE" not in faults.remedies(lines, "SERVERS_UNMOVABLE")
