"""Open vSwitch at the release's packages, its service enabled and running, the switch never restarted."""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import answers
from openstack_rollout.node.errors import NodeError


def updated(name, packages=None, unit=None, reload=False, userspace="refuse"):
    """Have Open vSwitch's packages at these versions, moved without the packages' scripts.

    name (str): any text. packages (dict): {name: version}; an installed stream that is not among them is
    removed. unit (str): the service, which is enabled and active afterwards; the distribution's by default.
    reload (bool): also reload the switch, so that the installed one runs; its flows are saved and put back,
    and the changes say how. Without it the running switch stays as it is, stale until a reload or a reboot.
    userspace (str): a reload interrupts a userspace data path. `refuse` it while workloads use one, or
    `accept` it.

    A node without Open vSwitch is left alone. What works before is recorded for `datapath.verified`.
    The reason of a failure is NODE_OCCUPIED (nothing was touched), PACKAGE_DOWNLOAD_FAILED,
    PACKAGE_FAILED or OVS_FAILED.

    .. code-block:: yaml

        Open vSwitch:
          ovs.updated:
            - packages: {openvswitch3.5: 3.5.0-1, rhosp-openvswitch: 3.5-1}
            - reload: True
    """
    try:
        due = __salt__["package_set.changes"](packages or {}, "ovs")
        service = __salt__["ovs.status"](unit)
        switch = __salt__["ovs.switch"]() if reload else None
        changes = _predicted(due, service, switch)
        if not changes:
            return answers.answer(name, True, "Open vSwitch is at its packages")
        if switch and userspace != "accept":
            _refuse_workloads(due, switch)
        if __opts__["test"]:
            return answers.answer(name, None, f"would be changed: {', '.join(changes)}", changes)
        __salt__["datapath.record"]()
        note = ""
        if due["install"] or due["remove"]:
            changes |= __salt__["ovs.update"](due["install"], due["remove"], unit)
            note = answers.held_off(__salt__["package_updaters.found"]())
        elif service:
            __salt__["ovs.ensure_service"](unit)
        if switch:
            changes.pop("switch", None)
            changes |= __salt__["ovs.reload"]()
    except CommandExecutionError as error:
        return answers.failed(name, error)
    return answers.answer(name, True, f"changed: {', '.join(changes)}{note}", changes)


def _refuse_workloads(due, switch):
    if not (due["install"] or due["remove"] or switch["stale"]):
        return
    ports = __salt__["datapath.workloads"]()
    if ports:
        raise NodeError(
            "NODE_OCCUPIED",
            f"{__grains__['id']}: nothing was touched, for a reload interrupts the"
            f" userspace data path of {len(ports)} ports ({', '.join(ports[:3])}, …): drain the node, or set"
            " openstack:ovs:userspace: accept",
        )


def _predicted(due, service, switch):
    changes = answers.to_come(due["install"])
    changes |= {package: {"old": "installed", "new": ""} for package in due["remove"]}
    if service and not (service["enabled"] and service["active"]):
        changes[service["unit"]] = {"old": "not enabled and active", "new": "enabled and active"}
    if switch and (changes or switch["stale"]):
        changes["switch"] = {"old": switch["running"], "new": "as installed"}
    return changes
