"""What `apt-cache policy` says of packages: which versions there are, and why the newest does not come.

Its rows are read strictly; what is none of them says nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NAME = re.compile(r"^(?P<name>[a-z0-9][a-z0-9+.-]*(?::[a-z0-9-]+)?):$")
_FIELD = re.compile(r"^  (?P<key>Installed|Candidate): (?P<value>\S+)$")
_VERSION = re.compile(
    r"^(?: (?P<here>\*\*\*)|    ) (?P<version>\S+) (?P<priority>-?\d+)(?: \(phased (?P<phased>\d+)%\))?$"
)
_NONE = "(none)"
# apt's own priorities (apt_preferences(5)): of a repository that is not to be used by itself, and of any.
_NOT_AUTOMATIC, _ORDINARY = 1, 500


@dataclass(frozen=True)
class Version:
    """A version in the table of a package. phased (str): the percentage of machines it is for, "" for all."""

    version: str
    here: bool
    priority: int
    phased: str = ""


@dataclass
class Policy:
    """A package: what is installed, what apt would install; its versions, the newest first."""

    installed: str = ""
    candidate: str = ""
    versions: list[Version] = field(default_factory=list)


def read(printed: str) -> dict[str, Policy]:
    """{name: Policy} of the packages that are installed; one of another architecture is name:architecture.

    printed (str): what `apt-cache policy NAME…` prints in the language C.
    """
    found: dict[str, Policy] = {}
    policy = Policy()
    for line in printed.splitlines():
        if match := _NAME.match(line):
            policy = found[match["name"]] = Policy()
        elif match := _FIELD.match(line):
            setattr(policy, match["key"].lower(), "" if match["value"] == _NONE else match["value"])
        elif match := _VERSION.match(line):
            policy.versions.append(
                Version(match["version"], bool(match["here"]), int(match["priority"]), match["phased"] or "")
            )
    return {name: policy for name, policy in found.items() if policy.installed}


def offered(policy: Policy) -> str:
    """The version that apt would bring of an installed package, "" where that is not newer, or not for this
    machine yet (phased).
    """
    for one in policy.versions:
        if one.here:
            break
        if one.version == policy.candidate:
            return "" if one.phased else one.version
    return ""


def stay(policy: Policy, held: bool) -> dict[str, str]:
    """Why a package that does not move stays: {"version", "cause", "by"}; {} where nothing is newer.

    policy: of an installed package that apt's plan does not move. held (bool): whether it is on hold.

    What only a repository has that is not to be used by itself (backports) is not newer.
    """
    newer = []
    for one in policy.versions:
        if one.here:
            break
        if held or not _NOT_AUTOMATIC <= one.priority < _ORDINARY:
            newer.append(one)
    if not newer:
        return {}
    first = newer[0]
    cause, by = "dependencies", ""
    if held:
        cause = "hold"
    elif first.phased:
        cause, by = "phased", f"{first.phased}%"
    elif policy.candidate in ("", policy.installed):
        here = next(one for one in policy.versions if one.here)
        cause, by = "pin", f"{first.priority} for it, {here.priority} for {here.version}"
    return {"version": first.version, "cause": cause, "by": by}
