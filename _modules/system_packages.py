"""The packages of this node that no release names: what is newer in its repositories, fetched and brought.

What would move is the package manager's own plan, of the metadata that `refresh` fetched last. Excluded
packages are hidden from it, so that nothing that needs them moves either. What the operator holds or has
locked stays.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from openstack_rollout.node import (
    apt,
    apt_policy,
    apt_security,
    commands,
    dnf_library,
    fingerprint,
    kernels,
    package_errors,
)
from openstack_rollout.node import packages as comparing
from openstack_rollout.node.errors import NodeError
from openstack_rollout.records.state_file import StateFile

DIST_UPGRADE = "dist_upgrade"
SECURITY = "security"
_RUN = Path("/run/openstack-rollout")
_PREFERENCES = _RUN / "apt-preferences"
_OPERATORS_PREFERENCES = Path("/etc/apt/preferences")
_REMEMBERED = _RUN / "system-packages.json"
_LISTS = Path("/var/lib/apt/lists")
# What dnf's version locks keep, as long as nothing that decides it changes.
_LOCKED = _RUN / "version-locks.json"
_OFFERED = _RUN / "offered-packages.json"
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
        "/var/lib/rpm/rpmdb.sqlite-wal",
        "/usr/lib/sysimage/rpm/rpmdb.sqlite",
        "/usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
        "/var/lib/dnf/history.sqlite",
        "/var/lib/dnf/history.sqlite-wal",
        "/var/cache/dnf/*/repodata/repomd.xml",
        "/etc/dnf/dnf.conf",
        "/etc/dnf/plugins/*",
        "/etc/yum.repos.d/*",
    ),
}
# On a node with the master's packages all of Salt's are the operator's.
_SALTS = ("salt", "salt-*")
_KEPT_FILES = ("*.rpmnew", "*.rpmsave", "*.dpkg-dist", "*.dpkg-new", "*.ucf-dist")


def plan(depth: str = "upgrade", exclude: Sequence[str] = ()) -> dict:
    """What the package manager would do to bring everything to the newest, of the metadata at hand.

    depth (str): `upgrade` moves what is installed. With apt nothing new is installed, so what needs a new
    package stays back; with dnf kernels stay, which would be installed beside the old ones, and what a new
    version needs comes with it. `dist_upgrade` moves everything, kernels and new packages too. `security` is
    `upgrade` of those packages alone of which the repositories say that it mends something of security: by an
    advisory (dnf's updateinfo), or by where it comes from (Debian-Security).
    exclude (list): globs of packages that must not move.

    Returns {"upgrade": {name: version}, "install": {name: version} of new packages that come along,
    "remove": [name] (with dnf only what a newer package replaces), "held": {name: version} of what the
    operator's holds, locks and pins keep back, "stays": {name: {"version", "cause", "by"}} of all that is
    newer and stays; the causes are hold, versionlock, pin, exclude (a setting of dnf's own), replaced (by a
    package of another name), phased (not for this machine yet) and dependencies}. With `security` what is
    newer of other packages is not told; with dnf "advisories" is {name: [id]} of what would move.
    Raises NodeError PACKAGE_REMOVAL when something newer would need a package removed (dnf); PACKAGE_FAILED
    when it would need one to go back to an older version; REPOSITORY_BROKEN or another reason of the package
    manager's.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' system_packages.plan dist_upgrade exclude='[openvswitch*]'
    """
    if __salt__["minion_package.masters"]():
        exclude = [*exclude, *_SALTS]
    question = json.dumps([depth, *exclude])
    make = _plan_of_apt if _is_apt() else _plan_of_dnf
    return _remembered(_REMEMBERED, question, lambda: make(depth, exclude))


def offered(names: Sequence[str]) -> dict:
    """What the repositories have that is newer, of installed packages, each by itself, of the metadata at
    hand.

    names (list): of the packages.

    Returns {"upgrade": {name: version} of what would come, "stays": as `plan` has it, of those that the
    operator's holds, locks, pins and settings keep back}. Raises NodeError REPOSITORY_BROKEN, or another
    reason of the package manager's.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' system_packages.offered '[nova-api, python3-nova]'
    """
    if not names:
        return {"upgrade": {}, "stays": {}}
    if _is_apt():
        return _remembered(_OFFERED, json.dumps(sorted(names)), lambda: _offered_by_apt(set(names)))
    # dnf tells of all at once, and takes its time
    found = _remembered(_OFFERED, "", _offered_by_dnf)
    return {part: {name: one for name, one in some.items() if name in names} for part, some in found.items()}


def refresh(lock_timeout: float | None = None) -> bool:
    """Fetch what the repositories have now; the packages that run do not change.

    lock_timeout (float): seconds that others may hold the package manager's locks; as in package_lock.wait.

    Returns True. Raises NodeError REPOSITORY_BROKEN, or another reason of the package manager's.

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
        return apt.held(__salt__)
    key = fingerprint.of(_DECISIVE["RedHat"])
    known = StateFile(_LOCKED).read_or_none()
    if not (key and known and known["key"] == key):
        try:
            some = dnf_library.ask(__salt__, {"ask": "locks"})
        except NodeError:  # without metadata, whatever a lock names
            some = dnf_library.ask(__salt__, {"ask": "locks", "repositories": False})
        found = [_name(one) for one in some]
        known = {"key": fingerprint.of(_DECISIVE["RedHat"]), "locked": found}
        StateFile(_LOCKED).write(known)
    return set(known["locked"])


def _asked(question: Mapping[str, Any]) -> Any:
    """What dnf's library answers; where a repository has never been read, that is done first."""
    try:
        return dnf_library.ask(__salt__, question)
    except NodeError as error:
        if error.reason != "REPOSITORY_BROKEN":
            raise
        refresh()
        return dnf_library.ask(__salt__, question)


def _plan_of_dnf(depth: str, exclude: Sequence[str]) -> dict:
    hidden = [*exclude, *(() if depth == DIST_UPGRADE else kernels.PACKAGES)]
    said = _asked({"ask": SECURITY if depth == SECURITY else "newer", "exclude": hidden})
    wanted = {one["name"] for one in said["wanted"]}
    going = (said.get("removed") or {}).values()
    replaced = [one for one in going if one["by"] in wanted]
    dnf_library.refuse_removals(said, [one["nevra"] for one in replaced])
    if "problem" in said:
        raise package_errors.classified(said["problem"], "PACKAGE_FAILED")
    dnf_library.refuse_downgrades(said)
    left = _stays(said["left"], "dependencies")
    locked = _stays(said["locked"], "versionlock")
    upgrade = {_name(one): one["version"] for one in said["wanted"] if _name(one) not in left}
    known = said.get("advisories", {})
    advisories = {_name(one): known.get(one["nevra"], []) for one in said["wanted"] if _name(one) in upgrade}
    return {
        **({"advisories": advisories} if depth == SECURITY else {}),
        "upgrade": upgrade,
        "install": {_name(one): one["version"] for one in said["comes"] if _name(one) not in upgrade},
        "remove": sorted(_name(one) for one in replaced),
        "held": {name: one["version"] for name, one in locked.items()},
        "stays": {
            **_stays(said["replaced"], "replaced"),
            **_stays(said["excluded"], "exclude"),
            **left,
            **locked,
        },
    }


def _offered_by_dnf() -> dict[str, dict]:
    said = _asked({"ask": "newer", "exclude": []})
    stays = {
        **_stays(said["excluded"], "exclude"),
        **_stays(said["left"], "dependencies"),
        **_stays(said["locked"], "versionlock"),
    }
    newer = {_name(one): one["version"] for one in said["wanted"] if _name(one) not in stays}
    return {"upgrade": newer, "stays": stays}


def _offered_by_apt(names: Collection[str]) -> dict[str, dict]:
    _read_once()
    holds = _marked()
    policies = _policies(names)
    newer = {name: apt_policy.offered(policy) for name, policy in policies.items() if name not in holds}
    upgrade = {name: version for name, version in newer.items() if version}
    others = {name: one for name, one in policies.items() if name not in upgrade}
    stays = {name: apt_policy.stay(one, name in holds) for name, one in others.items()}
    return {"upgrade": upgrade, "stays": {name: one for name, one in stays.items() if one}}


def _stays(packages: Iterable[Mapping[str, str]], cause: str) -> dict[str, dict[str, str]]:
    return {_name(one): {"version": one["version"], "cause": cause, "by": one["by"]} for one in packages}


def _name(package: Mapping[str, str]) -> str:
    return comparing.salts_name(package["name"], package["arch"], __grains__.get("osarch", ""))


def _plan_of_apt(depth: str, exclude: Sequence[str]) -> dict:
    _read_once()
    verb = "dist-upgrade" if depth == DIST_UPGRADE else "upgrade"
    pins = apt_security.PINS if depth == SECURITY else ()
    text = _simulated([verb], exclude, pins)
    if depth == SECURITY and (others := apt_security.others(text)):
        exclude = [*exclude, *others]  # the operator's own pins prefer them, of whatever repository
        text = _simulated([verb], exclude, pins)
    said = apt.read(text)
    stays = _insecure_of_apt(said.upgraded) if depth == SECURITY else _stays_of_apt(said.upgraded, exclude)
    return {
        "upgrade": said.upgraded,
        "install": said.added,
        "remove": said.removed,
        "held": {name: one["version"] for name, one in stays.items() if one["cause"] in ("hold", "pin")},
        "stays": stays,
    }


def _simulated(request: Sequence[str], exclude: Sequence[str], pins: Sequence[str] = ()) -> str:
    """What apt prints of a plan in which packages (globs) are hidden, and what more pins say."""
    _RUN.mkdir(parents=True, exist_ok=True)
    # A glob without an architecture would pin packages of the node's own alone.
    everywhere = [glob if ":" in glob else f"{glob}:any" for glob in exclude]
    hidden = [f"Package: {glob}\nPin: release *\nPin-Priority: -10\n" for glob in everywhere]
    own = _OPERATORS_PREFERENCES.read_text(encoding="utf-8") if _OPERATORS_PREFERENCES.exists() else ""
    _PREFERENCES.write_text("\n".join([*hidden, *pins, own]), encoding="utf-8")
    command = ["apt-get", "--quiet", "--simulate", "-o", "Debug::NoLocking=true"]
    return _printed([*command, "-o", f"Dir::Etc::Preferences={_PREFERENCES}", *request], "PACKAGE_FAILED")


def _insecure_of_apt(moving: Iterable[str]) -> dict[str, dict[str, str]]:
    """What would mend something of security and stays, on hold or for want of something, by the preferences
    of the last plan.
    """
    holds = _marked()
    names = [name for name in __salt__["package_set.installed"]() if name not in moving]
    offered = {name: apt_policy.offered(one) for name, one in _policies(names, _PREFERENCES).items()}
    return {
        name: {"version": version, "cause": "hold" if name in holds else "dependencies", "by": ""}
        for name, version in sorted(offered.items())
        if version
    }


def _stays_of_apt(moving: Iterable[str], exclude: Sequence[str]) -> dict[str, dict[str, str]]:
    """What is newer of the installed packages and does not move, by the operator's own settings of apt."""
    names = [
        name
        for name in __salt__["package_set.installed"]()
        if name not in moving and not comparing.matches(name, exclude)
    ]
    if not names:
        return {}
    holds = _marked()
    policies = _policies(names)
    found = {name: apt_policy.stay(policy, name in holds) for name, policy in policies.items()}
    return {name: one for name, one in sorted(found.items()) if one}


def _policies(names: Iterable[str], preferences: Path | None = None) -> dict[str, apt_policy.Policy]:
    options = ["-o", f"Dir::Etc::Preferences={preferences}"] if preferences else []
    printed = _printed(["apt-cache", *options, "policy", *sorted(names)], "PACKAGE_FAILED")
    return apt_policy.read(printed)


def _read_once() -> None:
    """Read the repositories, where that was never done."""
    if not any(path.is_file() and path.name != "lock" for path in _LISTS.glob("*")):
        refresh()


def _remembered(file: Path, question: str, ask: Callable[[], dict]) -> dict:
    """The answer to a question; one that was given before, as long as nothing changes that decides it.

    file: where answers are kept, each by its question.
    """
    known = _answers(file)
    if question in known:
        return known[question]
    answer = ask()
    # what is known of other questions may be older than what this one has just fetched
    StateFile(file).write({"key": _state_of_things(), "answers": {**_answers(file), question: answer}})
    return answer


def _answers(file: Path) -> dict[str, Any]:
    """The answers that still hold."""
    key, known = _state_of_things(), StateFile(file).read_or_none()
    return known.get("answers", {}) if key and known and known["key"] == key else {}


def _state_of_things() -> str:
    """A fingerprint of what decides an answer: installed packages, metadata, settings."""
    return fingerprint.of(_DECISIVE["Debian" if _is_apt() else "RedHat"])


def _printed(command: list[str], reason: str, good: Sequence[int] = (0,)) -> str:
    """What a command prints; its failure under the reason that its message stands for, or under this one."""
    result = commands.unattended(__salt__, command)
    if result.retcode not in good:
        raise package_errors.classified(result.said(), reason)
    return result.stdout


def _is_apt() -> bool:
    return __grains__.get("os_family") == "Debian"
