"""ovs_handover: where a switch can be handed over, and what systemd is told for the length of it."""

from __future__ import annotations

import json

import pytest
from salt.exceptions import CommandExecutionError

from tests.unit.loading import Commands, load

UNIT = "ovs-vswitchd.service"


def table(*rows):
    names = list(rows[0]) if rows else []
    return json.dumps({"headings": names, "data": [[row[name] for name in names] for row in rows]})


def database(bridge=None, interface=None, dpdk=False):
    bridges = [{"name": "br-int", "datapath_type": "netdev", "protocols": ["set", []]} | (bridge or {})]
    interfaces = [{"name": "tap1", "type": ""} | (interface or {})]
    return "\n".join([table(*bridges), table(*interfaces), table({"dpdk_initialized": dpdk})])


class Host(Commands):
    """systemctl, where a reload runs the program that the drop-in names: it leaves its report."""

    def __init__(self, report=None, says=None):
        super().__init__({"ovs-vsctl": says or database()})
        self.report, self.drop_in, self.line = report, None, ""

    def __call__(self, command, **options):
        if command == ["systemctl", "reload", UNIT]:
            self.line = self.drop_in.read_text().splitlines()[-1]
            if self.report is None:
                self.ran.append(command)
                return {"retcode": 1, "stdout": "", "stderr": "Job failed"}
            self.report_file.write_text(json.dumps(self.report))
        return super().__call__(command, **options)


def handover(host, place):
    module = load("modules", "ovs_handover", salt={"cmd.run_all": host})
    host.drop_in = module._DROP_IN = place / f"{UNIT}.d" / "50.conf"
    host.report_file = module._REPORT = place / "report.json"
    return module


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (database(), None),
        (database(bridge={"protocols": ["set", ["OpenFlow13", "OpenFlow15"]]}), None),
        (database(bridge={"datapath_type": ""}), "the kernel forwards for br-int"),
        (database(dpdk=True), "DPDK is initialised, which only one process at a time can use"),
        (database(interface={"type": "dpdkvhostuserclient"}), "interfaces have drivers of their own: tap1"),
        (database(interface={"type": "afxdp"}), "interfaces have drivers of their own: tap1"),
        (database(bridge={"protocols": "OpenFlow13"}), "bridges do not speak OpenFlow15: br-int"),
    ],
)
def test_only_a_plain_userspace_data_path_is_handed_over(tmp_path, says, why):
    assert handover(Host(says=says), tmp_path).obstacle() == why


def test_a_database_that_does_not_answer_is_no_reason_to_go_on(tmp_path):
    host = Host()
    host.answers = {"ovs-vsctl": {"retcode": 1, "stderr": "no db"}}
    with pytest.raises(CommandExecutionError, match=r"^OVS_FAILED: the switch's database .*: no db"):
        handover(host, tmp_path).obstacle()


def test_the_units_reload_is_ours_for_the_moment(tmp_path):
    host = Host({"outcome": "done", "error": "", "gap": 0.3, "flows": {"br-int": 1}})
    assert handover(host, tmp_path).reload()["gap"] == 0.3
    assert "-m" in host.line and "openstack_rollout.node.switch_handover" in host.line
    assert host.line.endswith(f'"{host.report_file}" "{host.drop_in}"')
    normal = "ovs-appctl --timeout=10 --target=ovs-vswitchd bfd/set-forwarding normal"
    systemd = ["systemctl daemon-reload", f"systemctl reload {UNIT}"]
    assert host.lines() == [*systemd, normal, "systemctl daemon-reload"]
    assert not host.drop_in.parent.exists()


def test_the_database_is_renewed_where_there_is_a_schema(tmp_path):
    host = Host({"outcome": "done", "error": ""})
    handover(host, tmp_path).reload("/usr/share/schema")
    assert host.line.endswith(f'"{host.drop_in}" "/usr/share/schema"')


def test_what_a_killed_handover_left_is_mended(tmp_path, monkeypatch):
    mended = []
    host = Host()
    module = handover(host, tmp_path)
    monkeypatch.setattr(module.handover, "end_strays", lambda: mended.append(host.drop_in.exists()))
    with pytest.raises(CommandExecutionError, match="Job failed"):
        module.reload()
    assert mended == [True]


def test_what_is_not_possible_is_told(tmp_path):
    report = {"outcome": "not possible", "error": "policy", "gap": None, "flows": {}}
    assert handover(Host(report), tmp_path).reload() == report


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ({"outcome": "nothing touched", "error": "it ended"}, "it ended; the old switch goes on$"),
        ({"outcome": "broken off", "error": "it ended"}, "it ended$"),
        ({"outcome": "done", "error": "br-int: nonsense"}, "br-int: nonsense$"),
        (None, "Job failed$"),
    ],
)
def test_a_failure_says_whether_the_old_switch_goes_on_and_leaves_the_unit_as_it_was(tmp_path, report, said):
    host = Host(report)
    with pytest.raises(CommandExecutionError, match=f"^OVS_FAILED: the switch was not handed over: {said}"):
        handover(host, tmp_path).reload()
    assert not host.drop_in.parent.exists()
    assert host.lines()[-1] == "systemctl daemon-reload"


def test_a_report_of_an_earlier_handover_counts_for_nothing(tmp_path):
    host = Host()
    module = handover(host, tmp_path)
    host.report_file.write_text(json.dumps({"outcome": "done", "error": ""}))
    with pytest.raises(CommandExecutionError, match="Job failed"):
        module.reload()
