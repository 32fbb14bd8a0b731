"""Open vSwitch at the release's packages, its service enabled and running, the switch never stopped."""

from __future__ import annotations

from salt.exceptions import CommandExecutionError


def updated(name, packages=None, unit="openvswitch.service"):
    """Have Open vSwitch's packages at these versions, moved without the packages' scripts.

    name (str): any text. packages (dict): {name: version}; an installed stream that is not among them goes.
    unit (str): the service that is left enabled and active.

    A node without Open vSwitch is left alone. The running switch is not restarted: it is as new as its
    package only after a reload or a reboot.
    The comment of a failure is led by PACKAGE_DOWNLOAD_FAILED, PACKAGE_FAILED or OVS_FAILED.

    .. code-block:: yaml

        Open vSwitch:
          ovs.updated:
            - packages: {openvswitch3.5: 3.5.0-1, rhosp-openvswitch: 3.5-1}
    """
    try:
        due = __salt__["package_set.changes"](packages or {}, "ovs")
        service = __salt__["ovs.status"](unit)
        changes = _predicted(due, service)
        if not changes:
            return _answer(name, True, "Open vSwitch is at its packages")
        if __opts__["test"]:
            return _answer(name, None, f"would be changed: {', '.join(changes)}", changes)
        __salt__["datapath.record"]()
        if due["install"] or due["remove"]:
            changes |= __salt__["ovs.update"](due["install"], due["remove"], unit)
        else:
            __salt__["ovs.ensure_service"](unit)
    except CommandExecutionError as error:
        return _answer(name, False, str(error))
    return _answer(name, True, f"changed: {', '.join(changes)}", changes)


def _predicted(due, service):
    changes = {package: {"old": "", "new": version} for package, version in due["install"].items()}
    changes |= {package: {"old": "installed", "new": ""} for package in due["remove"]}
    if service and not (service["enabled"] and service["active"]):
        changes[service["unit"]] = {"old": "not enabled and active", "new": "enabled and active"}
    return changes


def _answer(name, result, comment, changes=None):
    return {"name": name, "result": result, "comment": comment, "changes": changes or {}}
