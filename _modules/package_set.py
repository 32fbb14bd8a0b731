"""Packages at a release's versions, by Salt's own `pkg` (dnf and apt).

Only packages that a node has are moved, all of a step in one transaction, and what moved is looked up
afterwards: a package manager that reports success is not taken at its word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from salt.exceptions import CommandExecutionError

from openstack_rollout import measure

# Downloaded packages outlive the next transaction: what was fetched beforehand must still be there later.
_KEEP = "keepcache=1"
_REFRESHED = "openstack_rollout.package_metadata_refreshed"
# In what dnf and apt say, the lines that an operator needs; dnf may put a repository's settings after them.
_TELLING = re.compile(
    r"\b(?:Error|Problem)(?: \d+)?: *\S|\bE: |nothing provides|conflicts with|No match for"
    r"|No package \S+ avail|(?:Curl|GPG|OpenPGP|Checksum) .*(?:error|failed)|[Nn]o space left|Status code",
)
_SETTING = re.compile(r"\s*(?:\[[\w.:-]+\]$|[\w.-]+ ?=)")
_LONGEST = 400


def changes(packages: Mapping[str, str], stage: str = "system") -> dict:
    """What would have to happen to bring packages to these versions.

    packages (dict): {name: version}. stage (str): the stage that moves them; `ovs` also changes streams.

    Returns {"install": {name: version}, "remove": [name, …]}, both empty when nothing would.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_set.changes '{openstack-selinux: 0.8.41-1}'
    """
    install, remove = measure.package_changes(stage, packages, installed())
    return {"install": install, "remove": remove}


def installed() -> dict[str, list[str]]:
    """Every installed package with its versions.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_set.installed
    """
    return __salt__["pkg.list_pkgs"](versions_as_list=True)


def bring(packages: Mapping[str, str], exclude: Sequence[str] = (), setopt: Sequence[str] = ()) -> dict:
    """Bring packages to these versions in one transaction.

    packages (dict): {name: version}, all of them to be moved or installed. exclude (list): globs of packages
    that must not move, not even as a dependency. setopt (list): further options of dnf.

    Returns {name: {"old", "new"}} of every package that moved.
    Raises CommandExecutionError led by PACKAGE_FAILED when the transaction fails or a version is not reached.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_set.bring '{openstack-selinux: 0.8.41-1}' exclude='[kernel]'
    """
    try:
        if missing_downloads(packages):
            _refresh()
        _refuse_excluded(packages, exclude)
        moved = __salt__["pkg.install"](pkgs=_pkgs(packages), **_options(exclude, setopt))
    except CommandExecutionError as error:
        raise CommandExecutionError(f"PACKAGE_FAILED: {_said(error)}") from error
    now = {name: [] for name in packages} | installed()
    left, _ = measure.package_changes("system", packages, now)
    if left:
        raise CommandExecutionError(f"PACKAGE_FAILED: not reached: {_names(left)}")
    return moved


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
    return measure.package_changes("system", packages, have)[0]


def download(packages: Mapping[str, str]) -> dict:
    """Fetch packages, and what they need, into the package manager's cache; nothing is installed.

    packages (dict): {name: version}.

    Returns {name: {"old", "new"}} of what was fetched.
    Raises CommandExecutionError led by PACKAGE_DOWNLOAD_FAILED.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_set.download '{openstack-selinux: 0.8.41-1}'
    """
    try:
        _refresh()
        __salt__["pkg.install"](pkgs=_pkgs(packages), downloadonly=True, **_options((), ()))
    except CommandExecutionError as error:
        raise CommandExecutionError(f"PACKAGE_DOWNLOAD_FAILED: {_said(error)}") from error
    left = missing_downloads(packages)
    if left:
        raise CommandExecutionError(f"PACKAGE_DOWNLOAD_FAILED: not fetched: {_names(left)}")
    return {name: {"old": "", "new": version} for name, version in packages.items()}


def _refresh() -> None:
    # Once a state run: __context__ lives as long.
    if not __context__.get(_REFRESHED):
        __salt__["pkg.refresh_db"](**({"failhard": True} if _is_apt() else {}))
        __context__[_REFRESHED] = True


def _refuse_excluded(packages: Mapping[str, str], exclude: Sequence[str]) -> None:
    """Apt cannot exclude packages, so the transaction is simulated and refused when it needs one of them."""
    if not exclude or not _is_apt():
        return
    asked = [f"{name}={version}" for name, version in packages.items()]
    simulated = __salt__["cmd.run_all"](
        ["apt-get", "--simulate", "--allow-downgrades", "install", *asked],
        python_shell=False,
        ignore_retcode=True,
        env={"LC_ALL": "C"},
    )
    moving = re.findall(r"^(?:Inst|Remv) (\S+)", simulated["stdout"], re.M)
    refused = sorted({name for name in moving if any(fnmatchcase(name, glob) for glob in exclude)})
    if refused:
        raise CommandExecutionError(f"excluded packages would move: {', '.join(refused)}")


def _options(exclude: Sequence[str], setopt: Sequence[str]) -> dict:
    if _is_apt():
        return {}
    options = [_KEEP, *setopt]
    if exclude:
        options.append(f"excludepkgs={','.join(exclude)}")
    return {"setopt": options}


def _is_apt() -> bool:
    return __grains__.get("os_family") == "Debian"


def _pkgs(packages: Mapping[str, str]) -> list[dict[str, str]]:
    return [{name: version} for name, version in sorted(packages.items())]


def _names(packages: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(packages.items()))


def _said(error: CommandExecutionError) -> str:
    """What the package manager said, as one line: the lines that tell what is wrong, else the last ones."""
    errors = (error.info or {}).get("errors") if isinstance(error.info, dict) else None
    text = "\n".join(map(str, errors or ())) or str(error)
    lines = [line.strip(" -") for line in text.splitlines() if not _SETTING.match(line)]
    telling = [line for line in lines if _TELLING.search(line)] or [line for line in lines if line][-3:]
    return "; ".join(dict.fromkeys(telling))[:_LONGEST]
