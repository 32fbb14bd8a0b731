"""What the steps of the procedure are in Salt."""

from types import SimpleNamespace

import pytest
import salt.cache
import salt.config

from openstack_rollout.on_salt import fleet
from openstack_rollout.rollout.fleet import Context

CONTENT = {"ovn": "1a", "system": "2b"}
RUN = Context(run="r1", target="1.0.1", stages=("ovn", "system"), content=CONTENT)


def test_a_node_is_told_the_runs_target_and_stages():
    for step, sls in (("prefetch", "openstack.prefetch"), ("apply", "openstack.ovn")):
        call = fleet._call(step, "ovn", RUN)
        assert (call.function, call.arguments) == ("state.sls", (sls,))
        assert call.keywords["pillar"] == {
            "openstack_rollout": {
                **{"target": "1.0.1", "content": CONTENT},
                **{"stages": ["ovn", "system"], "drained": False, "run": "r1", "rollback": ""},
                "moved": False,
            }
        }


def test_a_node_is_told_which_run_is_undone():
    call = fleet._call("apply", "ovn", Context("r2", "1.0.1", ("ovn",), rollback="r1", moved=True))
    told = call.keywords["pillar"]["openstack_rollout"]
    assert (told["rollback"], told["moved"]) == ("r1", True)


def test_facts_and_hooks_are_asked_for_their_reasons():
    facts, hook = fleet._call("verify", "ovn", RUN), fleet._call("before_apply", "ovn", RUN)
    assert (facts.function, facts.arguments) == ("rollout_call.run", ("openstack_node.facts",))
    assert facts.keywords == {"kwargs": {"fresh": True}}
    assert (hook.function, hook.arguments) == ("rollout_call.run", ("rollout_hooks.run",))
    assert hook.keywords == {"args": ["ovn", "before_apply"]}


@pytest.mark.parametrize(
    ("target", "unread"),
    [
        ("cmp* and not G@rack:r2", ["cmp2"]),
        ("cmp* and not N@second", ["cmp2"]),
        ("cmp* and not P@rack:r[2-3]", ["cmp2"]),
        ("cmp* and not I@rack:r2", ["cmp1", "cmp2"]),
        ("cmp* and not cmp2", []),
    ],
)
def test_of_whom_the_master_does_not_know_what_a_target_asks_for(tmp_path, target, unread):
    groups = {"first": "G@rack:r2", "second": "N@first"}
    opts = {**salt.config.DEFAULT_MASTER_OPTS, "cachedir": str(tmp_path), "nodegroups": groups}
    salt.cache.factory(opts).store("grains", "cmp1", {"rack": "r1"})
    found = object.__new__(fleet.SaltFleet)
    found._opts = opts
    assert found.unread(target, ["cmp1", "cmp2"]) == unread


def test_what_looks_like_a_secret_gets_into_no_event():
    fired, heard = [], []
    found = object.__new__(fleet.SaltFleet)
    found._jobs = SimpleNamespace(fire=lambda tag, data: fired.append(data))
    found.listener = SimpleNamespace(heard=heard.append)
    event = {"node": "cmp1", "message": "password=hunter2 is wrong", "in_flight": 1}
    found.announce("openstack/rollout/r1/ovn/cmp1/apply", event)
    assert fired == heard == [{"node": "cmp1", "message": "password=… is wrong", "in_flight": 1}]
