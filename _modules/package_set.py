"""Packages at a release's versions, by dnf or apt.

Only packages that a node has are moved, all of a step in one transaction. What would be removed is known
before, and refused unless it was planned. What is installed is looked up afterwards: a package manager's
report of success alone does not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from salt.exceptions import CommandExecutionError
from salt.utils.pkg.rpm import ARCHES

from openstack_rollout.node import answers, commands, dnf_library, package_errors
from openstack_rollout.node import packages as comparing
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.packages import FLOOR

# Downloaded packages outlive the next transaction: what was fetched beforehand must still be there later.
# dnf shall not wait for a lock for ever: `package_lock` waits, with a limit.
_DNF = ("keepcache=1", "exit_on_lock=1")
# dpkg prints to a terminal of apt's own, which ends up in this file alone; Salt sees only apt's errors.
_TERMINAL = Path("/var/log/apt/term.log")
_REFRESHED = "openstack_rollout.package_metadata_refreshed"


def changes(packages: Mapping[str, str], stage: str = "services") -> dict:
    """What would have to happen to bring packages to these versions.

    packages (dict): {name: version}. stage (str): the stage that moves them; `ovs` also changes
    streams, `system` leaves alone what the operator holds.

    Returns {"install": {name: version}, "remove": [name, …]}, both empty when nothing would.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_set.changes '{openstack-selinux: 0.8.41-1}'
    """
    if __salt__["bootc.status"]():  # its packages come with its image
        return {"install": {}, "remove": []}
    if stage == "system":
        held = __salt__["system_packages.held"]()
        packages = {name: version for name, version in packages.items() if name not in held}
    install, remove = _compared(stage, packages, installed())
    return {"install": install, "remove": remove}


def installed(fresh: bool = False) -> dict[str, list[str]]:
    """Every installed package with its versions.

    fresh (bool): look again; else what this job knows already counts. Salt's `pkg` does not notice what
    others move.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_set.installed
    """
    return __salt__["pkg.list_pkgs"](versions_as_list=True, **({"use_context": False} if fresh else {}))


def bring(
    packages: Mapping[str, str],
    exclude: Sequence[str] = (),
    setopt: Sequence[str] = (),
    remove: Sequence[str] = (),
) -> dict:
    """Bring packages to these versions in one transaction.

    packages (dict): {name: version}, all of them to be moved or installed. exclude (list): globs of packages
    that must not move, not even as a dependency. setopt (list): further options of dnf. remove (list): globs
    of packages that may go with it; one that a package of these replaces (RPM's Obsoletes) may go as well.

    Returns {name: {"old", "new"}} of every package that moved. Raises NodeError PACKAGE_REMOVAL when a
    package would go that may not (nothing was touched), or is found to be gone; PACKAGE_FAILED when the
    transaction fails or a version is not reached; or the reason that the package manager's message stands for
    (DISK_FULL, SIGNATURE_WRONG, REPOSITORY_BROKEN, REPOSITORY_LOGIN, PACKAGE_LOCKED, …).

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_set.bring '{openstack-selinux: 0.8.41-1}' exclude='[kernel]'
    """
    before = installed()
    planned = _unlocked("PACKAGE_FAILED", lambda: _transaction(packages, exclude, setopt, remove))
    after = installed(fresh=True)
    gone = sorted(name for name in set(before) - set(after) - planned if not comparing.matches(name, remove))
    if gone:
        raise NodeError("PACKAGE_REMOVAL", f"went, and nobody had planned it: {', '.join(gone)}")
    unreached, _ = _compared("system", packages, {name: [] for name in packages} | after)
    if unreached:
        raise NodeError("PACKAGE_FAILED", f"not reached: {answers.named(unreached)}")
    return {
        name: {"old": ",".join(before.get(name, ())), "new": ",".join(after.get(name, ()))}
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    }


def missing_downloads(packages: Mapping[str, str]) -> dict[str, str]:
    """Those packages whose files are not in the package manager's cache.

    packages (dict): {name: version}.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_set.missing_downloads '{openstack-selinux: 0.8.41-1}'
    """
    if not packages:
        return {}
    cached = {name: list(found) for name, found in __salt__["pkg.list_downloaded"]().items()}
    have = {name: cached.get(name, []) for name in packages}
    return _compared("system", packages, have)[0]


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


def _transaction(
    packages: Mapping[str, str], exclude: Sequence[str], setopt: Sequence[str], remove: Sequence[str]
) -> set[str]:
    """Move the packages; the names of those that were to go with it, which nobody else may take away."""
    if _is_apt():
        switch = all(comparing.of_the_switch(name) for name in packages)
        __salt__["package_repair.finish_dpkg"](switch=switch, exclude=list(exclude))
    if missing_downloads(packages):
        _refresh()
    concrete = _concrete(packages)
    if not _is_apt():
        return _by_dnf(concrete, [*_DNF, *setopt], exclude, remove)
    _refuse_unplanned(concrete, exclude, remove)
    automatic = _automatic(packages)
    with commands.nothing_restarted():
        __salt__["pkg.install"](pkgs=_pkgs(concrete))
    if automatic:
        commands.unattended(__salt__, ["apt-mark", "auto", *automatic])
    return set()


def _fetched(packages: Mapping[str, str], remove: Sequence[str]) -> set[str]:
    _refresh()
    concrete = _concrete(packages)
    if not _is_apt():
        return _by_dnf(concrete, _DNF, (), remove, "--downloadonly")
    _refuse_unplanned(concrete, (), remove)
    __salt__["pkg.install"](pkgs=_pkgs(concrete), downloadonly=True)
    return set()


def _by_dnf(
    packages: Mapping[str, str],
    setopt: Sequence[str],
    exclude: Sequence[str],
    remove: Sequence[str],
    *options: str,
) -> set[str]:
    """One transaction of dnf's, which erases nothing that was not planned; the names of what it replaces."""
    specs = sorted(_spec(name, version) for name, version in packages.items())
    plan = dnf_library.ask(
        __salt__,
        {"ask": "resolve", "install": specs, "exclude": list(exclude), "setopt": list(setopt)},
    )
    if plan["missing"]:
        raise CommandExecutionError(f"no repository has {', '.join(plan['missing'])}")
    planned = [
        one["name"]
        for one in (plan.get("removed") or {}).values()
        if one["by"] in packages or comparing.matches(one["name"], remove)
    ]
    dnf_library.refuse_removals(plan, planned)
    if "problem" in plan:
        raise CommandExecutionError(plan["problem"])
    # the metadata of the plan, however old it is by now
    settings = [*setopt, "*.metadata_expire=-1", *([f"excludepkgs={','.join(exclude)}"] if exclude else ())]
    command = [
        *("systemd-run", "--scope", "--quiet", "dnf", "--quiet", "--assumeyes"),
        *(f"--setopt={one}" for one in settings),
        *options,
        *("install", *specs),
    ]
    result = commands.unattended(__salt__, command)
    if result.retcode:
        raise CommandExecutionError(f"{result.stdout}\n{result.stderr}")
    return set(planned)


def _spec(name: str, version: str) -> str:
    """How dnf is asked for a package that Salt calls so: name.i686 is one of another architecture."""
    base, _, arch = name.rpartition(".")
    return f"{base}-{version}.{arch}" if base and arch in ARCHES else f"{name}-{version}"


def _unlocked(reason: str, action: Callable[[], set[str]]) -> set[str]:
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
            failure = package_errors.classified(f"{_terminal(before)}{_text(error)}", reason)
        if failure.reason != "PACKAGE_LOCKED" or time.monotonic() > deadline:
            raise failure


def _compared(
    stage: str, packages: Mapping[str, str], have: Mapping[str, Sequence[str]]
) -> tuple[dict[str, str], list[str]]:
    meets = comparing.meets_by(have, __salt__["pkg.version_cmp"])
    return comparing.changes(stage, packages, have, meets)


def _concrete(packages: Mapping[str, str]) -> dict[str, str]:
    """The packages, with the newest version of the repositories for those that have only a least version."""
    found = dict(packages)
    for name, version in packages.items():
        if version.startswith(FLOOR):
            newest = __salt__["pkg.latest_version"](name, refresh=False)
            if not newest:
                raise CommandExecutionError(f"{name}: the repositories have none {version}")
            found[name] = newest
    return found


def _automatic(packages: Iterable[str]) -> list[str]:
    """Those that apt installed because others need them (marked "auto"). Naming them in a transaction would
    mark them as installed by hand.
    """
    if not _is_apt():
        return []
    return sorted(set(commands.unattended(__salt__, ["apt-mark", "showauto"]).stdout.split()) & set(packages))


def _refresh() -> None:
    # Once a state run: __context__ lives as long.
    if not __context__.get(_REFRESHED):
        __salt__["pkg.refresh_db"](**({"failhard": True} if _is_apt() else {}))
        __context__[_REFRESHED] = True


def _refuse_unplanned(packages: Mapping[str, str], exclude: Sequence[str], remove: Sequence[str]) -> None:
    """Apt can neither exclude packages nor be kept from removing some, so the transaction is simulated, and
    refused when it would do that.
    """
    asked = [f"{name}={version}" for name, version in packages.items()]
    simulated = commands.unattended(
        __salt__, ["apt-get", "--simulate", "--allow-downgrades", "install", *asked]
    )
    refused = [name for name in comparing.moving(simulated.stdout) if comparing.matches(name, exclude)]
    if refused:
        raise CommandExecutionError(f"excluded packages would move: {', '.join(refused)}")
    gone = [name for name in comparing.removing(simulated.stdout) if not comparing.matches(name, remove)]
    if gone:
        raise NodeError("PACKAGE_REMOVAL", f"would go: {', '.join(gone)}")


def _is_apt() -> bool:
    return __grains__.get("os_family") == "Debian"


def _pkgs(packages: Mapping[str, str]) -> list[dict[str, str]]:
    return [{name: version} for name, version in sorted(packages.items())]


def _text(error: CommandExecutionError) -> str:
    """All that the package manager printed."""
    info = error.info if isinstance(error.info, dict) else {}
    said = info.get("result") or {}
    parts = [*map(str, info.get("errors") or ()), str(said.get("stdout", "")), str(said.get("stderr", ""))]
    return "\n".join(part for part in parts if part) or str(error)


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
