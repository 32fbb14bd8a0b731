"""The packages of a node that no release names, at the newest that its repositories have."""

from __future__ import annotations

from fnmatch import fnmatchcase

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import answers
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.packages import MINION_PACKAGES


def upgraded(name, depth="upgrade", exclude=(), kept=()):
    """Have everything at the newest, as far as the depth goes. New configuration files come beside the old.

    name (str): any text. depth (str): `upgrade`, `dist_upgrade` or `security`, as in system_packages.plan.
    exclude (list): globs of packages that must not move. kept (list): the same, and those that another state
    moves to versions of the release.

    The reason of a failure is PACKAGE_FAILED, REPOSITORY_BROKEN, SIGNATURE_WRONG, PACKAGE_LOCKED or
    DISK_FULL; PACKAGE_REMOVAL when a package would have to go that the plan does not name. What the operator
    holds or has locked stays, and what else does, each named with its cause.

    .. code-block:: yaml

        everything else:
          system_packages.upgraded:
            - depth: dist_upgrade
            - exclude: ['openvswitch*']
    """
    try:
        plan = __salt__["system_packages.plan"](depth, list(kept))
        due = {name: version for name, version in plan["upgrade"].items() if name not in MINION_PACKAGES}
        note = f"{_advisories(plan, due)}{_stays(plan)}"
        if not due:
            return answers.answer(name, True, f"nothing is newer in the repositories{note}")
        coming = {**plan["install"], **due}
        predicted = answers.to_come(coming)
        predicted |= {package: {"old": "installed", "new": ""} for package in plan["remove"]}
        if __opts__["test"]:
            return answers.answer(name, None, f"would be moved: {answers.named(coming)}{note}", predicted)
        before = set(__salt__["system_packages.configuration"]())
        moved = __salt__["package_set.bring"](due, exclude=list(exclude), remove=plan["remove"])
        note += answers.held_off(__salt__["package_updaters.found"]())
        files = sorted(set(__salt__["system_packages.configuration"]()) - before)
    except CommandExecutionError as error:
        return answers.failed(name, error)
    if files:
        note += f"; new configuration files wait beside yours: {', '.join(files)}"
    return answers.answer(name, True, f"moved: {answers.named(due)}{note}", moved)


def undisturbed(  # noqa: PLR0917 - a state's arguments are the keys of the SLS
    name, disruptive=(), packages=None, depth=None, kept=(), exclude=()
):
    """Refuse, before anything moves, packages whose update disturbs workloads that are on this node.

    name (str): any text. disruptive (list): globs of such packages. packages (dict): of the release, {name:
    version}. depth (str), kept (list), exclude (list): as in `upgraded`; without a depth nothing moves beside
    those packages and what a killed transaction left half done.

    A run that has drained the node says so in the pillar. The reason of a refusal is NODE_OCCUPIED.

    .. code-block:: yaml

        workloads first:
          system_packages.undisturbed:
            - disruptive: ['qemu*', 'libvirt*']
    """
    try:
        drained = (__pillar__.get("openstack_rollout") or {}).get("drained", False)
        coming = __salt__["package_set.changes"](packages or {}, "system")["install"]
        coming |= __salt__["package_repair.due"]("system", (), list(exclude))
        if depth:
            coming |= __salt__["system_packages.plan"](depth, list(kept))["upgrade"]
        due = sorted(one for one in coming if any(fnmatchcase(one, glob) for glob in disruptive))
        if not due or drained:
            return answers.answer(name, True, "nothing that comes disturbs workloads")
        on_it = __salt__["node_workloads.found"]()
    except CommandExecutionError as error:
        return answers.failed(name, error)
    if not on_it:
        return answers.answer(name, True, f"no workload is here that would be disturbed by {', '.join(due)}")
    refusal = (
        f"{__grains__['id']}: nothing was touched, for {', '.join(due)} would move under {'; '.join(on_it)}:"
        " a run that drains it first (policies:<role>:drain, orch.system) can"
    )
    return answers.failed(name, NodeError("NODE_OCCUPIED", refusal))


def downloaded(name, depth="upgrade", kept=()):
    """Have the package files that `upgraded` will need in the package manager's cache.

    name (str): any text. depth (str), kept (list): as in `upgraded`. The reason of a failure is one of those,
    or PACKAGE_DOWNLOAD_FAILED.

    .. code-block:: yaml

        everything else, downloaded:
          system_packages.downloaded:
            - depth: dist_upgrade
    """
    try:
        plan = __salt__["system_packages.plan"](depth, list(kept))
        coming = {**plan["install"], **plan["upgrade"]}
        due = __salt__["package_set.missing_downloads"](coming)
        if not due:
            return answers.answer(name, True, "what is newer is there")
        if __opts__["test"]:
            comment = f"would be downloaded: {answers.named(due)}"
            return answers.answer(name, None, comment, answers.to_come(due))
        fetched = __salt__["package_set.download"](coming, remove=plan["remove"])
    except CommandExecutionError as error:
        return answers.failed(name, error)
    return answers.answer(name, True, f"downloaded: {answers.named(due)}", fetched)


def _advisories(plan, due):
    found = sorted({one for name in due for one in plan.get("advisories", {}).get(name, ())})
    return f"; by {', '.join(found)}" if found else ""


def _stays(plan):
    stays = [f"{name} {one['version']} ({one['cause']})" for name, one in plan["stays"].items()]
    return f"; newer and stays: {', '.join(stays)}" if stays else ""
