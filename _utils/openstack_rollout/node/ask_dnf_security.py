"""A program as `ask_dnf`, for one more question: what is newer of packages of which a repository's updateinfo
says that it mends something of security.

It changes nothing on the node. What it has in common with `ask_dnf`, which stands beside it, it takes from
there.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import hawkey

# It stands beside this program; the Python of dnf knows no package of ours.
sys.path.append(os.path.dirname(os.path.abspath(__file__)))
import ask_dnf

_EVERYTHING = ask_dnf._newest


def security(question: dict[str, Any]) -> dict[str, Any]:
    """As ask_dnf.newer, of those packages alone; and "advisories": {NEVRA of each: [id]}.

    question: as for `newer`.
    """
    ask_dnf._newest = _secure
    said = ask_dnf.newer(question)
    base = ask_dnf._with_repositories(question)
    known = {str(one): _advisories(base, one) for one in _EVERYTHING(base)}
    own = {one["nevra"] for one in said["wanted"]}
    # What replaces a package is newer by no advisory.
    return {**said, "replaced": [], "advisories": {nevra: known.get(nevra, []) for nevra in sorted(own)}}


def _secure(base: Any) -> list[Any]:
    return [one for one in _EVERYTHING(base) if _advisories(base, one)]


def _advisories(base: Any, package: Any) -> list[str]:
    """The advisories of security that a package mends, and what is installed of it does not."""
    found: dict[str, None] = {}
    for old in base.sack.query().installed().filter(name=package.name, arch=package.arch):
        for one in old.get_advisories(hawkey.GT):
            # One of a newer package than is to be had is mended by none.
            mends = any(
                (each.name, each.arch) == (package.name, package.arch)
                and base.sack.evr_cmp(each.evr, package.evr) <= 0
                and base.sack.evr_cmp(each.evr, old.evr) > 0
                for each in one.packages
            )
            if one.type == hawkey.ADVISORY_SECURITY and mends:
                found[one.id] = None
    return sorted(found)


if __name__ == "__main__":
    ask_dnf._QUESTIONS["security"] = security
    ask_dnf.main()
