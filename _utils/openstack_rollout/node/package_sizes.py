"""How much room the packages need that are to come: to be fetched, and on the disk; as repositories say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openstack_rollout.node import commands, dnf_library, kernels, packages

_AT_ONCE = 200  # packages of a command
_PATIENCE = 30.0  # seconds
_KIB = 1024
ARCHIVES = Path("/var/cache/apt/archives")
_FIELD = re.compile(r"^(Package|Version|Architecture|Installed-Size|Size): (.+)$", re.M)


def needed(salt: Mapping[str, Any], moving: Mapping[str, str], is_apt: bool) -> dict[str, Any]:
    """The room that packages need.

    salt (dict): the caller's `__salt__`. moving (dict): {name: version} of those to come. is_apt (bool):
    whether the node has apt.

    Returns {"count": of packages, "fetch": bytes, "grow": bytes on the disk beyond what they have now, with
    room for the largest beside its older version, "kernel": whether one is among them, "unknown": how many
    have no known size}. Raises NodeError where the package manager does not answer.
    """
    if not moving:
        return {"count": 0, "fetch": 0, "grow": 0, "kernel": False, "unknown": 0}
    found = _of_apt(salt, moving) if is_apt else _of_dnf(salt, moving)
    grown = sum(max(0, new - old) for _, new, old in found.values())
    return {
        "count": len(moving),
        "fetch": sum(fetch for fetch, _, _ in found.values()),
        "grow": grown + max((old for _, _, old in found.values()), default=0),
        "kernel": any(packages.matches(name, kernels.PACKAGES) for name in moving),
        "unknown": len(moving) - len(found),
    }


def _of_dnf(salt: Mapping[str, Any], moving: Mapping[str, str]) -> dict[str, list[int]]:
    told = dnf_library.ask(salt, {"ask": "sizes", "packages": dict(moving)})
    return dict(told["packages"])


def _of_apt(salt: Mapping[str, Any], moving: Mapping[str, str]) -> dict[str, list[int]]:
    names, found = sorted(moving), {}
    installed = _installed(salt)
    for start in range(0, len(names), _AT_ONCE):
        some = [f"{name}={moving[name]}" for name in names[start : start + _AT_ONCE]]
        # An exit status for one that is unknown says nothing of the others.
        printed = commands.run(salt, ["apt-cache", "show", *some], timeout=_PATIENCE).stdout
        for block in printed.split("\n\n"):
            told = dict(_FIELD.findall(block))
            name = told.get("Package", "")
            asked = name if name in moving else f"{name}:{told.get('Architecture')}"
            if moving.get(asked) == told.get("Version") and "Size" in told:
                fetch = 0 if _is_here(told) else int(told["Size"])
                new = int(told.get("Installed-Size", 0)) * _KIB
                found[asked] = [fetch, new, installed.get(asked, 0)]
    return found


def _is_here(told: Mapping[str, str]) -> bool:
    quoted = told["Version"].replace(":", "%3a")
    return (ARCHIVES / f"{told['Package']}_{quoted}_{told.get('Architecture')}.deb").exists()


def _installed(salt: Mapping[str, Any]) -> dict[str, int]:
    """The bytes of installed packages, by name, and by name:architecture."""
    form = "${Package}:${Architecture} ${Installed-Size}\\n"
    printed = commands.run(salt, ["dpkg-query", "--show", f"--showformat={form}"], timeout=_PATIENCE).stdout
    found = {}
    for line in printed.splitlines():
        name, _, size = line.partition(" ")
        if size.isdigit():
            found[name] = found[name.partition(":")[0]] = int(size) * _KIB
    return found
