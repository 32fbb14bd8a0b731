"""clock: what keeps it right, by what chrony or the kernel says."""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import clock
from tests.unit.loading import Commands

TRACKING = "A29FC87B,162.159.200.123,4,1795907807.1,{},0.0001,0.0002,-3.1,0.0,0.02,0.01,0.001,64.2,{}"


def found(answers, missing=()):
    run = Commands(answers)

    def called(command, **options):
        if command[0] in missing:
            raise CommandExecutionError(f"{command[0]}: command not found")
        return run(command, **options)

    return clock.found({"cmd.run_all": called})


def test_chrony_tells_its_offset():
    told = found({"chronyc": TRACKING.format("-0.25", "Normal")})
    assert told == {"by": "chrony", "synchronized": True, "offset": 0.25}


def test_chrony_without_a_source_knows_no_offset():
    told = found({"chronyc": TRACKING.format("0.000000000", "Not synchronised")})
    assert told == {"by": "chrony", "synchronized": False, "offset": None}


@pytest.mark.parametrize(("said", "synchronized"), [("yes\n", True), ("no\n", False)])
def test_where_chrony_is_not_the_kernel_is_asked(said, synchronized):
    told = found({"timedatectl": said}, missing=("chronyc",))
    assert told == {"by": "kernel", "synchronized": synchronized, "offset": None}


def test_a_chronyd_that_does_not_answer_counts_as_none():
    told = found({"chronyc": {"retcode": 1, "stdout": "506 Cannot talk to daemon"}, "timedatectl": "no"})
    assert told["by"] == "kernel"


def test_where_nothing_can_be_asked_nothing_is_known():
    told = found({}, missing=("chronyc", "timedatectl"))
    assert told == {"by": "", "synchronized": None, "offset": None}
