"""unit_states: units that have failed or are masked, and whether they are of what is declared."""

from __future__ import annotations

from openstack_rollout.node import unit_states
from tests.unit.loading import Commands

FAILED = """\
nova_compute.service     loaded failed failed nova_compute
openvswitch.service      loaded failed failed Open vSwitch
srv-glance.mount         loaded failed failed /srv/glance
kdump.service            loaded failed failed Crash recovery kernel arming
"""


def test_failed_units_are_told_with_whether_a_node_stands_on_them():
    salt = {"cmd.run_all": Commands({"systemctl list-units --state=failed": FAILED})}
    assert unit_states.failed(salt, ["nova_compute.service"]) == {
        "nova_compute.service": True,
        "openvswitch.service": True,
        "srv-glance.mount": True,
        "kdump.service": False,
    }


def test_only_masked_units_of_declared_services_are_told():
    printed = "nova_compute.service masked enabled\nsleep.target masked enabled\n\n"
    salt = {"cmd.run_all": Commands({"systemctl list-unit-files": printed})}
    assert unit_states.masked(salt, ["nova_compute.service", "other.service"]) == ["nova_compute.service"]
