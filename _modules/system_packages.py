"""The packages of this node that no release names: what is newer in its repositories, fetched and brought.

What would move is the package manager's own plan, of the metadata that `refresh` fetched last. Excluded
packages are hidden from it, so that nothing that needs them moves either. What the operator holds or has
locked stays.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands, kernels, package_errors
from openstack_rollout.records.state_file import StateFile

UPGRADE = "upgrade"
DIST_UPGRADE = "dist_upgrade"
_RUN = Path("/run/openstack-rollout")
_PREFERENCES = _RUN / "apt-preferences"
_OPERATORS_PREFERENCES = Path("/etc/apt/preferences")
_REMEMBERED = _RUN / "system-packages.json"
_LISTS = Path("/var/lib/apt/lists")
_VERSION_LOCKS = Path("/etc/dnf/plugins/versionlock.list")
# A repository that cannot be read is an error, never "nothing is new".
_DNF = ("--setopt=skip_if_unavailable=0", "--setopt=exit_on_lock=1")
# Files that change when the plan may change.
_DECISIVE = {
    "Debian": (
        "/var/lib/dpkg/status",
        "/var/lib/apt/lists/*",
        "/etc/apt/preferences",
        "/etc/apt/preferences.d/*",
    ),
    "RedHat": (
        "/var/lib/rpm/rpmdb.sqlite",
        "/usr/lib/sysimage/rpm/rpmdb.sqlite",
        "/var/lib/dnf/history.sqlite",
        "/var/cache/dnf/*/repodata/repomd.xml",
        "/etc/dnf/dnf.conf",
        "/etc/dnf/plugins/*",
        "/etc/yum.repos.d/*",
    ),
}
# A row of check-update: name.arch, version-release, repository, the last two on a line of their own where
# the name is long. Whatever else dnf says is no package.
_ROW = re.compile(
    r"^(?P<name>[A-Za-z0-9][\w.+-]*)\.(?:noarch|[a-z][a-z0-9_]+)\s+"
    r"(?P<version>(?:\d+:)?[^\s:-]+-[^\s-]+)[ \t]+\S+[ \t]*$",
    re.M,
)
_INSTALLS = re.compile(r"^Inst (?P<name>[^\s:]+)\S* (?:\[(?P<old>[^\]]+)\] )?\((?P<new>\S+)", re.M)
_REMOVES = re.compile(r"^Remv (?P<name>[^\s:]+)", re.M)
# On a node with the master's packages all of Salt's are the operator's.
_SALTS = ("salt", "salt-*")
# dnf's message for a repository that it has never read.
_NO_METADATA = "Cache-only enabled but no cache"
_LOCKED = re.compile(r"^(?P<name>.+)-(?:\d+:)?[^-]+-[^-]+$")
_KEPT_FILES = ("*.rpmnew", "*.rpmsave", "*.dpkg-dist", "*.dpkg-new", "*.ucf-dist")


def plan(depth: str = UPGRADE, exclude: Sequence[str] = ()) -> dict:
    """What the package manager would do to bring everything to the newest, of the metadata at hand.

    depth (str): `upgrade` moves what is installed. With apt nothing new is installed, so what needs a new
    package stays back; with dnf kernels stay, which would be installed beside the old ones, and what a new
    version needs comes with it. `dist_upgrade` moves everything, kernels and new packages too.
    exclude (list): globs of packages that must not move.

    Returns {"upgrade": {name: version}, "install": {name: version} (apt: new packages that come along),
    "remove": [name], "held": {name: version} of what the operator's holds and locks keep back}.
    Raises NodeError under REPOSITORY_BROKEN, PACKAGE_FAILED or another reason of the package manager's.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' system_packages.plan dist_upgrade exclude='[openvswitch*]'
    """
    if __salt__["minion_package.masters"]():
        exclude = [*exclude, *_SALTS]
    key = _state_of_things(depth, exclude)
    known = StateFile(_REMEMBERED).read_or_none()
    if known and known["key"] == key:
        return known["plan"]
    make = _plan_of_apt if _is_apt() else _plan_of_dnf
    try:
        made = make(depth, exclude)
    except CommandExecutionError as error:
        if _NO_METADATA not in str(error):
            raise
        refresh()
        made = make(depth, exclude)
    key = _state_of_things(depth, exclude)
    StateFile(_REMEMBERED).write({"key": key, "plan": made})
    return made


def refresh(lock_timeout: float | None = None) -> bool:
    """Fetch what the repositories have now; the packages that run do not change.

    lock_timeout (float): seconds that others may hold the package manager's locks; as in package_lock.wait.

    Returns True. Raises NodeError REPOSITORY_BROKEN, SIGNATURE_WRONG, PACKAGE_LOCKED or DISK_FULL.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' system_packages.refresh
    """
    __salt__["package_lock.wait"](lock_timeout)
    command = ["apt-get", "--quiet", "--error-on=any", "update"]
    if not _is_apt():
        command = ["dnf", "--quiet", *_DNF, "--refresh", "makecache"]
    _printed(command, "REPOSITORY_BROKEN")
    return True


def held() -> list[str]:
    """The names of installed packages that the operator holds (apt-mark) or has locked (dnf versionlock). On
    a node with Salt's master, Salt's own packages count as held.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' system_packages.held
    """
    installed = __salt__["package_set.installed"]()
    found = _marked()
    if __salt__["minion_package.masters"]():
        found |= {name for name in installed for glob in _SALTS if fnmatchcase(name, glob)}
    return sorted(found & set(installed))


def configuration() -> list[str]:
    """Configuration files that came with packages and wait beside those that an operator had changed.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' system_packages.configuration
    """
    return sorted(str(path) for glob in _KEPT_FILES for path in Path("/etc").rglob(glob))


def _marked() -> set[str]:
    if _is_apt():
        return set(_printed(["apt-mark", "showhold"], "PACKAGE_FAILED").split())
    try:
        lines = _VERSION_LOCKS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return {match["name"] for line in lines if (match := _LOCKED.match(line.strip()))}


def _plan_of_dnf(depth: str, exclude: Sequence[str]) -> dict:
    hidden = [*exclude, *(kernels.PACKAGES if depth == UPGRADE else ())]
    newer = _newer(hidden)
    kept = {}
    if _marked():
        without = _newer(hidden, "--disableplugin=versionlock")
        kept = {name: version for name, version in without.items() if newer.get(name) != version}
    return {"upgrade": newer, "install": {}, "remove": [], "held": kept}


def _newer(exclude: Iterable[str], *options: str) -> dict[str, str]:
    # check-update and not repoquery, which does not know of version locks.
    hidden = f"--setopt=excludepkgs={','.join(exclude)}"
    command = ["dnf", "--quiet", "--cacheonly", *_DNF, *options, hidden, "check-update"]
    printed = _printed(command, "REPOSITORY_BROKEN", good=(0, 100))
    listed = printed.partition("Obsoleting Packages")[0]
    return {row["name"]: row["version"].removeprefix("0:") for row in _ROW.finditer(listed)}


def _plan_of_apt(depth: str, exclude: Sequence[str]) -> dict:
    if not any(path.is_file() and path.name != "lock" for path in _LISTS.glob("*")):
        refresh()
    _RUN.mkdir(parents=True, exist_ok=True)
    pins = [f"Package: {glob}\nPin: release *\nPin-Priority: -10\n" for glob in exclude]
    own = _OPERATORS_PREFERENCES.read_text(encoding="utf-8") if _OPERATORS_PREFERENCES.exists() else ""
    _PREFERENCES.write_text("\n".join([*pins, own]), encoding="utf-8")
    command = [
        *("apt-get", "--quiet", "--simulate", "-o", "Debug::NoLocking=true"),
        *("-o", f"Dir::Etc::Preferences={_PREFERENCES}"),
        "dist-upgrade" if depth == DIST_UPGRADE else "upgrade",
    ]
    text = _printed(command, "PACKAGE_FAILED")
    moves = [match.groupdict() for match in _INSTALLS.finditer(text)]
    holds = sorted(_marked())
    candidates = __salt__["pkg.latest_version"](*holds, refresh=False) if holds else {}
    if holds and not isinstance(candidates, Mapping):
        candidates = {holds[0]: candidates}
    return {
        "upgrade": {move["name"]: move["new"] for move in moves if move["old"]},
        "install": {move["name"]: move["new"] for move in moves if not move["old"]},
        "remove": sorted(match["name"] for match in _REMOVES.finditer(text)),
        "held": {name: version for name, version in candidates.items() if version},
    }


def _state_of_things(depth: str, exclude: Iterable[str]) -> str:
    """A fingerprint of all that decides the plan: the question, installed packages, metadata, settings."""
    parts = [depth, *exclude]
    for pattern in _DECISIVE["Debian" if _is_apt() else "RedHat"]:
        for path in sorted(Path("/").glob(pattern.lstrip("/"))):
            try:
                status = path.stat()
            except OSError:
                continue
            parts.append(f"{path} {status.st_mtime_ns} {status.st_size}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _printed(command: list[str], reason: str, good: Sequence[int] = (0,)) -> str:
    """What a command prints; its failure under the reason that its message stands for, or under this one."""
    result = commands.unattended(__salt__, command)
    if result.retcode not in good:
        raise package_errors.classified(f"{result.stdout}\n{result.stderr}", reason)
    return result.stdout


def _is_apt() -> bool:
    return __grains__.get("os_family") == "Debian"
