"""Move Open vSwitch's packages without letting their scripts touch the switch.

With dnf no script of the transaction runs at all. With apt the scripts run, for they do more than services,
but a policy-rc.d of ours denies them to stop or restart the switch. Half a transaction of an earlier attempt
that was killed is finished first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import (
    apt,
    held_services,
    kept_packages,
    package_errors,
    transactions,
    updaters,
)
from openstack_rollout.node import packages as comparing
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.packages import OVS_PACKAGES

_WITHOUT_SCRIPTS = ("tsflags=noscripts", f"includepkgs={','.join(OVS_PACKAGES)}")
_FROM_CACHE = "cacheonly=1"
#: The switch's services, as its package scripts call them.
_SERVICES = ("openvswitch-*", "ovsdb-server*", "ovs-vswitchd*", "ovs-record-hostname*")


def move(install: Mapping[str, str], remove: Sequence[str] = ()) -> dict:
    """Bring Open vSwitch's packages to these versions; no other package moves, no script stops the switch.

    install (dict): {name: version}. remove (list): names, or name-version where another version of the same
    name stays.

    Returns {name: {"old", "new"}} of every package that moved.
    Raises NodeError PACKAGE_DOWNLOAD_FAILED, PACKAGE_FAILED or PACKAGE_LOCKED.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovs_packages.move '{openvswitch3.5: 3.5.0-1, rhosp-openvswitch: 3.5-1}' '[openvswitch3.4]'
    """
    by = _by_apt if __grains__.get("os_family") == "Debian" else _by_dnf
    with updaters.held_off(__salt__):
        return by(install, remove)


def tidy() -> bool:
    """Take back the policy that a killed transaction left, and put the operator's own in its place.

    It stays while a package manager still works. Returns whether no policy of ours is there any more.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovs_packages.tidy
    """
    return held_services.tidy()


def _by_dnf(install: Mapping[str, str], remove: Sequence[str]) -> dict:
    if __salt__["package_set.missing_downloads"](install):
        __salt__["package_set.download"](install, remove=OVS_PACKAGES)
    moved = {}
    if install:
        moved = __salt__["package_set.bring"](
            install, setopt=[*_WITHOUT_SCRIPTS, _FROM_CACHE], remove=OVS_PACKAGES
        )
    # Most new streams obsolete the old one, which is then gone already; a killed transaction leaves both, or
    # two versions of one package.
    doubles = comparing.changes("ovs", install, __salt__["package_set.installed"]())[1]
    unwanted = _installed_of([*remove, *doubles])
    if unwanted:
        command = ["rpm", "--erase", "--noscripts", "--allmatches", *sorted(unwanted)]
        result = transactions.run(__salt__, command, debian=False)
        __salt__["package_set.installed"](fresh=True)
        if result.retcode:
            raise NodeError("PACKAGE_FAILED", f"rpm --erase: {result.complaint()}")
    return {**moved, **{name: {"old": version, "new": ""} for name, version in unwanted.items()}}


def _installed_of(remove: Sequence[str]) -> dict[str, str]:
    """Which of those are installed: {name or name-version: version}."""
    found = {}
    for name, versions in __salt__["package_set.installed"]().items():
        if name in remove:
            found[name] = ",".join(versions)
        found |= {f"{name}-{one}": one for one in versions if f"{name}-{one}" in remove}
    return found


def _by_apt(install: Mapping[str, str], remove: Sequence[str]) -> dict:
    with held_services.denied(_SERVICES):
        __salt__["package_repair.finish_dpkg"](switch=True)
        unwanted = _installed_of(remove)
        apt.refuse_held(__salt__, {*install, *unwanted})
        if __salt__["package_set.missing_downloads"](install):
            __salt__["package_set.download"](install, remove=OVS_PACKAGES)
        _refuse_others(install, unwanted)
        if not install and not unwanted:
            return {}
        return __salt__["package_set.bring"](install, remove=OVS_PACKAGES, erase=sorted(unwanted))


def _refuse_others(install: Mapping[str, str], erase: Collection[str]) -> None:
    """Refuse a transaction that would move anything but Open vSwitch."""
    try:
        plan = apt.simulated(__salt__, apt.wanted(install, erase, kept_packages.at_hand(install)))
    except CommandExecutionError as error:
        raise package_errors.classified(str(error), "PACKAGE_FAILED") from error
    others = [name for name in plan.moving if not comparing.of_the_switch(name)]
    if others:
        raise NodeError("PACKAGE_FAILED", f"other packages would move with it: {', '.join(others)}")
