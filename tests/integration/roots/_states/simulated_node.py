"""A stage of a simulated node: takes as long as the node's file says, and fails when it says so."""

import time


def at_target(name):
    """Bring the stage `name` to the pillar's target_version, or to what a rollback in force says."""
    node = __salt__["openstack_node.read"]()
    target = __salt__["openstack_node.wanted"](name)
    ret = {"name": name, "result": True, "changes": {}, "comment": f"{name} is at {target}"}
    if node["at"].get(name, "1.0.0") == target:
        return ret
    if __opts__["test"]:
        return {**ret, "result": None, "changes": {name: target}, "comment": f"{name} would go to {target}"}
    __salt__["openstack_node.begun"](name)
    time.sleep(node.get("seconds", {}).get(name, 0))
    if name in node.get("fail", {}):
        return {**ret, **_failed(node["fail"][name])}
    __salt__["openstack_node.set_stage"](name, target)
    return {**ret, "changes": {name: target}}


def downloaded(name):
    """Prefetch nothing, or take long, or fail as the node's file says."""
    node = __salt__["openstack_node.read"]()
    failure = node.get("fail", {}).get("prefetch")
    if seconds := node.get("seconds", {}).get("prefetch"):
        __salt__["cmd.run"](["sleep", str(seconds)], python_shell=False)
    ret = {"name": name, "result": True, "changes": {}, "comment": "all is here"}
    return {**ret, **_failed(failure)} if failure else ret


def _failed(told):
    """As answers.failed makes it; told: "REASON: what is wrong", or all fields of such an answer."""
    if isinstance(told, dict):
        return {"result": False, **told}
    return {"result": False, "comment": told, "reason": told.partition(": ")[0]}
