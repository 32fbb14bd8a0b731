"""apt: its plan as it prints it, what it still has to fetch, and what the operator holds."""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import apt
from openstack_rollout.node.errors import NodeError
from tests.unit.loading import Commands

SIMULATED = """Reading package lists...
Inst lab-plain [1.0-1] (1.1-1 lab [all])
Inst libc6:i386 [2.40] (2.41 lab [i386]) []
Inst lab-new (1.0-1 lab [all])
Remv libold:i386 [1.0-1]
Purg tuned [1]
Conf lab-plain (1.1-1 lab [all])
"""
URIS = """'http://x/./one_2%3a1-1_amd64.deb' one_2%3a1-1_amd64.deb 700 SHA256:ab
'http://x/./two_1_i386.deb' two_1_i386.deb 700 SHA256:ab
'file:/srv/./here_1_all.deb' here_1_all.deb 700 SHA256:ab
"""


def test_a_package_of_another_architecture_is_another_package():
    plan = apt.read(SIMULATED)
    assert plan.upgraded == {"lab-plain": "1.1-1", "libc6:i386": "2.41"}
    assert (plan.added, plan.removed) == ({"lab-new": "1.0-1"}, ["libold:i386", "tuned"])
    assert plan.moving == ["lab-new", "lab-plain", "libc6:i386", "libold:i386", "tuned"]


def test_what_apt_refuses_is_told_whole():
    failed = {"retcode": 100, "stdout": "The following packages", "stderr": "E: Unmet dependencies."}
    salt = {"cmd.run_all": Commands({"apt-get --quiet --simulate": failed})}
    with pytest.raises(CommandExecutionError, match="E: Unmet dependencies"):
        apt.simulated(salt, apt.wanted({"a": "1"}))


def test_apt_itself_tells_what_it_has_to_fetch():
    run = Commands({"apt-get --quiet=2": URIS})
    assert apt.unfetched({"cmd.run_all": run}, {"one": "2:1-1"}, "amd64") == {"one": "2:1-1", "two:i386": "1"}
    assert run.lines() == ["apt-get --quiet=2 --yes --print-uris --allow-downgrades install one=2:1-1"]
    run.answers["apt-get --quiet=2"] = {"retcode": 100}
    assert apt.unfetched({"cmd.run_all": run}, {"one": "3"}, "amd64") is None


def test_what_is_on_hold_is_named_with_what_to_do():
    salt = {"cmd.run_all": Commands({"apt-mark showhold": "b\na\nother\n"})}
    apt.refuse_held(salt, ["c"])
    with pytest.raises(NodeError, match=r"^PACKAGE_FAILED: a, b: on hold .*: apt-mark unhold, or leave"):
        apt.refuse_held(salt, ["b", "a", "c"])
