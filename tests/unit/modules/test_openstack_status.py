"""What a project's own program says of an upgrade, as lines that refuse one."""

from __future__ import annotations

import pytest

from openstack_rollout.node.errors import NodeError
from tests.unit.loading import load

TABLE = """\
+--------------------------------------------------------------------+
| Upgrade Check Results                                              |
+--------------------------------------------------------------------+
| Check: Cells v2                                                    |
| Result: Failure                                                    |
| Details: No host mappings found but there are compute nodes. Run   |
|   command 'nova-manage cell_v2 simple_cell_setup' and then retry.  |
+--------------------------------------------------------------------+
| Check: Placement API                                               |
| Result: Success                                                    |
| Details: None                                                      |
+--------------------------------------------------------------------+
| Check: Older than N-1 computes                                     |
| Result: %s                                                    |
| Details: Current Nova version does not support computes older than |
|   Zed but the minimum compute service level in your system is 54.  |
+--------------------------------------------------------------------+
"""
CELLS = (
    "nova-status: Cells v2: No host mappings found but there are compute nodes. Run command 'nova-manage"
    " cell_v2 simple_cell_setup' and then retry."
)


def asked(retcode, stdout="", stderr=""):
    commands = []

    def run_all(command, **_):
        commands.append(command)
        return {"retcode": retcode, "stdout": stdout, "stderr": stderr}

    module = load("modules", "openstack_status", salt={"cmd.run_all": run_all})
    return lambda: module.upgrade_check("nova-conductor.service", "nova-status"), commands


def test_each_failed_part_is_a_line():
    ask, commands = asked(2, TABLE % "Failure")
    assert ask() == [
        CELLS,
        "nova-status: Older than N-1 computes: Current Nova version does not support computes older than Zed"
        " but the minimum compute service level in your system is 54.",
    ]
    assert commands == [["nova-status", "upgrade", "check"]]


def test_warnings_are_none():
    assert asked(2, TABLE % "Warning")[0]() == [CELLS]
    assert asked(1, (TABLE % "Warning").replace("Failure", "Success"))[0]() == []
    assert asked(0, "")[0]() == []


@pytest.mark.parametrize("retcode", [255, 127, 125, -9])
def test_a_program_that_cannot_tell_is_no_success(retcode):
    with pytest.raises(NodeError) as refused:
        asked(retcode, "", "Traceback: the database is away")[0]()
    assert refused.value.reason == "CLIENT_FAILED"


def test_a_failure_without_a_part_that_failed_is_told():
    with pytest.raises(NodeError):
        asked(2, "gibberish")[0]()
