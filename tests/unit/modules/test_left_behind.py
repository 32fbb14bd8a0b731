"""left_behind: addresses and keepaliveds that stay on a node although they should have left."""

from __future__ import annotations

import pytest

from tests.unit.loading import Commands, load

LINKS = """\
1: lo    inet 127.0.0.1/8 scope host lo
2: host0    inet 10.88.0.11/24 brd 10.88.0.255 scope global host0
2: host0    inet 10.88.0.10/24 scope global secondary host0
"""
INSIDE = (
    "9: ha-1    inet 169.254.192.3/24 scope global ha-1\n9: qg-1    inet 192.0.2.7/32 scope global qg-1\n"
)


@pytest.fixture
def machine(tmp_path):
    """Two keepaliveds, each with a child, and one of an operator's shell; state of their units to be set."""
    states = {"neutron-l3-agent.service": "inactive", "keepalived.service": "active"}
    commands = Commands({
        "ip -oneline": LINKS, "nsenter --target=10 --net ip": INSIDE, "pgrep": "10\n11\n20\n21\n30\n40\n",
    })  # fmt: skip
    for unit, state in states.items():
        commands.answers[f"systemctl is-active {unit}"] = {"retcode": 3, "stdout": f"{state}\n"}
    slices = {
        10: "system.slice/neutron-l3-agent.service", 20: "system.slice/keepalived.service",
        30: "user.slice/user-0.slice/session-1.scope",
    }  # fmt: skip
    for number, place in slices.items():
        for process, parent in ((number, 1), (number + 1, number)):
            folder = tmp_path / str(process)
            folder.mkdir()
            (folder / "cgroup").write_text(f"0::/{place}\n")
            (folder / "status").write_text(f"Name:\tkeepalived\nPPid:\t{parent}\n")
            (folder / "comm").write_text("keepalived\n")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "comm").write_text("systemd\n")
    module = load("modules", "left_behind", salt={"cmd.run_all": commands})
    module.PROC = tmp_path  # 40 has just ended
    return module, commands, tmp_path


def test_an_address_on_a_link_is_found(machine):
    module, _, _ = machine
    assert module.addresses(["10.88.0.10", "10.88.0.1"]) == ["10.88.0.10"]


def test_a_keepalived_whose_unit_is_over_is_told_with_its_addresses(machine):
    module, _, _ = machine
    (told,) = module.keepaliveds()
    assert "process 10 of neutron-l3-agent.service, inactive" in told and "192.0.2.7" in told


def test_one_whose_agent_runs_is_left_alone(machine):
    module, commands, _ = machine
    commands.answers["systemctl is-active neutron-l3-agent.service"] = "active\n"
    assert module.keepaliveds() == []


def test_one_that_pacemaker_started_is_of_a_resource_that_has_left(machine):
    module, _, proc = machine
    (proc / "20" / "cgroup").write_text("0::/system.slice/pacemaker.service\n")
    assert any("process 20 of pacemaker.service" in told for told in module.keepaliveds())
