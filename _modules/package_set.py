"""Packages at a release's versions, by dnf or apt.

Only packages that a node has are moved, all of a step in one transaction. What would be removed is known
before, and refused unless it was planned. What is installed is looked up afterwards: a package manager's
report of success alone does not count.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import (
    answers,
    apt,
    commands,
    dnf_transaction,
    kept_packages,
    package_errors,
    transactions,
    updaters,
)
from openstack_rollout.node import packages as comparing
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.packages import FLOOR, NEWEST

# dpkg prints to a terminal of apt's own, which ends up in this file alone; apt tells only its own errors.
_TERMINAL = Path("/var/log/apt/term.log")
_REFRESHED = "openstack_rollout.package_metadata_refreshed"
# What dnf imports while it works, and rpm keeps as if they were packages.
_KEYS = "gpg-pubkey"
# Why a package stays that is asked for all the same: who is asked refuses it, and tells what keeps it.
_REFUSED = ("hold", "versionlock", "exclude", "dependencies")

_Result = TypeVar("_Result")
_Versions = Mapping[str, Sequence[str]]


def changes(packages: Mapping[str, str], stage: str = "services") -> dict:
    """What would have to happen to bring packages to these versions.

    packages (dict): {name: version, or >=version, or newest}. stage (str): the stage that moves them; `ovs`
    also changes streams, `system` leaves alone what the operator holds.

    Returns {"install": {name: version}, "remove": [name, …]}, both empty when nothing would. In place of
    >=version and of newest stands the version that the repositories offer, where the metadata at hand has
    one; what the operator holds is at its newest.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_set.changes '{openstack-selinux: 0.8.41-1}'
    """
    if __salt__["bootc.status"]():  # its packages come with its image
        return {"install": {}, "remove": []}
    if stage == "system":
        held = __salt__["system_packages.held"]()
        packages = {name: version for name, version in packages.items() if name not in held}
    have = installed()
    newest = [name for name, version in packages.items() if version == NEWEST and name in have]
    newer = __salt__["system_packages.offered"](newest)["upgrade"] if newest else {}
    install, remove = _compared(stage, packages, have, newer)
    return {"install": install | _offered(install, have), "remove": remove}


def installed(fresh: bool = False) -> dict[str, list[str]]:
    """Every installed package with its versions.

    fresh (bool): look again; else what this job knows already counts. Salt's `pkg` does not notice what
    others move.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_set.installed
    """
    return __salt__["pkg.list_pkgs"](versions_as_list=True, **({"use_context": False} if fresh else {}))


def bring(  # noqa: PLR0917 - as a state calls it
    packages: Mapping[str, str],
    exclude: Sequence[str] = (),
    setopt: Sequence[str] = (),
    remove: Sequence[str] = (),
    erase: Collection[str] = (),
    files: Mapping[str, str] | None = None,
) -> dict:
    """Bring packages to these versions in one transaction. Its scripts neither start, stop nor restart
    services.

    packages (dict): {name: version}, all of them to be moved or installed. exclude (list): globs of packages
    that must not move, not even as a dependency. setopt (list): further options of dnf. remove (list): globs
    of packages that may go with it; one that a package of these replaces (RPM's Obsoletes) may go as well.
    erase (list): names of packages that go with it (apt). files (dict): {name: path} of packages whose file
    is at hand, so that no repository is needed for them.

    Returns {name: {"old", "new"}} of every package that moved. Raises NodeError PACKAGE_REMOVAL when a
    package would go that may not (nothing was touched), or is found to be gone; PACKAGE_FAILED when the
    operator holds a package (nothing was touched), the transaction fails, a version is not reached or another
    package has moved; or the reason that the package manager's message stands for (DISK_FULL,
    SIGNATURE_WRONG, REPOSITORY_BROKEN, REPOSITORY_LOGIN, PACKAGE_LOCKED, …).

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_set.bring '{openstack-selinux: 0.8.41-1}' exclude='[kernel]'
    """
    more = {"exclude": exclude, "setopt": setopt, "remove": remove, "erase": erase, "files": files or {}}
    with updaters.held_off(__salt__):  # from before it is planned until it is compared
        before, after, planned = _unlocked("PACKAGE_FAILED", lambda: _moved(packages, **more))
    _refuse_unplanned(before, after, planned)
    unreached, _ = _compared("system", packages, {name: [] for name in packages} | after)
    if unreached:
        raise NodeError("PACKAGE_FAILED", f"not reached: {answers.named(unreached)}")
    return {
        name: {"old": ",".join(before.get(name, ())), "new": ",".join(after.get(name, ()))}
        for name in _differing(before, after)
    }


def command_to_bring(packages: Mapping[str, str], exclude: Sequence[str] = ()) -> list[str]:
    """The command that brings packages to these versions, to be run by somebody else: Salt's own move when
    this job has ended.

    packages (dict), exclude (list): as in `bring`. Returns [argument, …]. Raises as `bring` does before it
    moves anything.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_set.command_to_bring '{salt-minion: 3008.4-1}'
    """
    # Somebody else has apt finish before what is half installed now.
    options = ["--fix-broken"] if _is_apt() else []
    planned = _unlocked(
        "PACKAGE_FAILED", lambda: _prepared(_concrete(packages), exclude=exclude, options=options)
    )
    return planned.command


def along(packages: Mapping[str, str], exclude: Sequence[str] = ()) -> dict[str, str]:
    """What else comes when packages are brought to these versions: {name: version}. Nothing is told where the
    metadata at hand has no way to it.

    packages (dict), exclude (list): as in `bring`.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_set.along '{openstack-selinux: 0.8.41-1}'
    """
    try:
        comes = _prepared(_concrete(packages), exclude=exclude).comes
    except CommandExecutionError:
        return {}
    return {name: version for name, version in comes.items() if name not in packages}


def missing_downloads(packages: Mapping[str, str]) -> dict[str, str]:
    """What has to be fetched before packages can be brought to these versions: {name: version} of those, and
    of what they need, whose files are not whole on the node. All of them where their metadata says nothing.

    packages (dict): {name: version}.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_set.missing_downloads '{openstack-selinux: 0.8.41-1}'
    """
    packages = {name: one for name, one in packages.items() if name not in kept_packages.at_hand(packages)}
    if not packages:
        return {}
    ask = apt.unfetched if _is_apt() else dnf_transaction.unfetched
    try:
        missing = ask(__salt__, _concrete(packages), _own())
    except CommandExecutionError:
        missing = None
    return dict(packages) if missing is None else missing


def download(packages: Mapping[str, str], remove: Sequence[str] = ()) -> dict:
    """Fetch packages, and what they need, into the package manager's cache; nothing is installed.

    packages (dict): {name: version}. remove (list): globs of packages that may go when they are installed.

    Returns {name: {"old", "new"}} of what was fetched.
    Raises NodeError PACKAGE_DOWNLOAD_FAILED, PACKAGE_REMOVAL, or a reason as `bring` does.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_set.download '{openstack-selinux: 0.8.41-1}'
    """
    _unlocked("PACKAGE_DOWNLOAD_FAILED", lambda: _fetched(packages, remove))
    if missing := missing_downloads(packages):
        raise NodeError("PACKAGE_DOWNLOAD_FAILED", f"not fetched: {answers.named(missing)}")
    return answers.to_come(packages)


def _moved(
    packages: Mapping[str, str], *, exclude: Sequence[str], erase: Collection[str], **more: Any
) -> tuple[_Versions, _Versions, comparing.Transaction]:
    """Move the packages; what was installed before and what is after, and the transaction."""
    if _is_apt():
        switch = all(comparing.of_the_switch(name) for name in (*packages, *erase))
        __salt__["package_repair.finish_dpkg"](switch=switch, exclude=list(exclude))
    if missing_downloads({name: one for name, one in packages.items() if name not in more["files"]}):
        _refresh()
    planned = _prepared(_concrete(packages), exclude=exclude, erase=erase, **more)
    before = installed(fresh=True)
    automatic = _automatic(packages)
    result = transactions.run(__salt__, planned.command, debian=_is_apt())
    after = installed(fresh=True)
    _succeeded(result)
    if automatic:
        commands.unattended(__salt__, ["apt-mark", "auto", *automatic])
    return before, after, planned


def _fetched(packages: Mapping[str, str], remove: Sequence[str]) -> None:
    _refresh()
    option = "--download-only" if _is_apt() else "--downloadonly"
    planned = _prepared(_concrete(packages), remove=remove, options=[option])
    _succeeded(transactions.in_scope(__salt__, planned.command))


def _prepared(
    packages: Mapping[str, str],
    *,
    setopt: Sequence[str] = (),
    erase: Collection[str] = (),
    files: Mapping[str, str] | None = None,
    **more: Any,
) -> comparing.Transaction:
    # What a run had before is on the node: a rollback needs no repository.
    more["files"] = {**kept_packages.at_hand(packages), **(files or {})}
    if _is_apt():
        return apt.prepared(__salt__, packages, erase=erase, **more)
    return dnf_transaction.prepared(__salt__, packages, _own(), setopt=setopt, **more)


def _succeeded(result: commands.Result) -> None:
    if result.retcode:
        raise CommandExecutionError(result.said())


def _refuse_unplanned(before: _Versions, after: _Versions, planned: comparing.Transaction) -> None:
    """Refuse to call good what moved and was not in the transaction as it was resolved or simulated."""
    if gone := sorted(before.keys() - after.keys() - planned.goes):
        raise NodeError("PACKAGE_REMOVAL", f"went, and nobody had planned it: {', '.join(gone)}")
    moved = [name for name in _differing(before, after) if name not in {*planned.comes, *planned.goes}]
    if moved:
        raise NodeError("PACKAGE_FAILED", f"moved, and nobody had planned it: {', '.join(moved)}")


def _differing(before: _Versions, after: _Versions) -> list[str]:
    names = (before.keys() | after.keys()) - {_KEYS}
    return sorted(name for name in names if before.get(name) != after.get(name))


def _unlocked(reason: str, action: Callable[[], _Result]) -> _Result:
    """Do something when nobody holds the package manager's locks, and again when somebody was faster.

    Errors are raised under the reason that the package manager's message stands for, or under this one.
    """
    deadline = time.monotonic() + __salt__["package_lock.patience"]()
    while True:
        __salt__["package_lock.wait"]()
        before = _terminal_size()
        try:
            return action()
        except NodeError as error:
            failure = error
        except CommandExecutionError as error:
            failure = package_errors.classified(f"{_terminal(before)}{error}", reason)
        if failure.reason != "PACKAGE_LOCKED" or time.monotonic() > deadline:
            raise failure


def _compared(
    stage: str,
    packages: Mapping[str, str],
    have: Mapping[str, Sequence[str]],
    newer: Mapping[str, str] | None = None,
) -> tuple[dict[str, str], list[str]]:
    meets = comparing.meets_by(have, __salt__["pkg.version_cmp"])
    return comparing.changes(stage, packages, have, meets, newer)


def _concrete(packages: Mapping[str, str]) -> dict[str, str]:
    """The packages, with the newest version of the repositories for those that have only a least version."""
    found = {**packages, **_offered(packages, installed())}
    if lacking := {name: version for name, version in found.items() if version.startswith(FLOOR)}:
        raise CommandExecutionError(f"the repositories have no {answers.named(lacking)}")
    return found


def _offered(packages: Mapping[str, str], have: _Versions) -> dict[str, str]:
    """The newest version of the repositories, for those of the packages that have only a least version which
    it meets.
    """
    floors = {name: version for name, version in packages.items() if version.startswith(FLOOR)}
    if not floors:
        return {}
    said = __salt__["system_packages.offered"]([name for name in floors if name in have])
    found = {name: one["version"] for name, one in said["stays"].items() if one["cause"] in _REFUSED}
    found |= said["upgrade"]
    for name in floors:
        if name not in have:
            found[name] = __salt__["pkg.latest_version"](name, refresh=False)
    some = {name: [version] for name, version in found.items() if version}
    meets = comparing.meets_by(some, __salt__["pkg.version_cmp"])
    return {name: found[name] for name, floor in floors.items() if meets(name, floor)}


def _automatic(packages: Iterable[str]) -> list[str]:
    """Those that apt installed because others need them (marked "auto"). Naming them in a transaction would
    mark them as installed by hand.
    """
    if not _is_apt():
        return []
    return sorted(set(commands.unattended(__salt__, ["apt-mark", "showauto"]).stdout.split()) & set(packages))


def _refresh() -> None:
    # Once a job, in a thread of its own: where a minion has no processes for jobs, __context__ lives longer.
    if __context__.get(_REFRESHED) != threading.get_native_id():
        __salt__["pkg.refresh_db"](**({"failhard": True} if _is_apt() else {}))
        __context__[_REFRESHED] = threading.get_native_id()


def _own() -> str:
    """The node's architecture."""
    return __grains__.get("osarch", "")


def _is_apt() -> bool:
    return __grains__.get("os_family") == "Debian"


def _terminal_size() -> int:
    return _TERMINAL.stat().st_size if _is_apt() and _TERMINAL.exists() else 0


def _terminal(since: int) -> str:
    """What dpkg has printed since apt's log of it had that size."""
    size = _terminal_size()
    if not size or size == since:
        return ""
    with _TERMINAL.open("rb") as log:
        log.seek(since if since < size else 0)  # a smaller one is another file by now
        return log.read().decode("utf-8", errors="replace") + "\n"
