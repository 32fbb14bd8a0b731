"""A program as `ask_dnf`, for one more question: how large packages are that are to come. It changes nothing.

What it has in common with `ask_dnf`, which stands beside it, it takes from there.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import hawkey

# It stands beside this program; the Python of dnf knows no package of ours.
sys.path.append(os.path.dirname(os.path.abspath(__file__)))
import ask_dnf


def sizes(question: dict[str, Any]) -> dict[str, dict[str, list[int]]]:
    """How large packages are.

    question: "packages" ({name, or name.architecture: version}), "setopt".

    Returns {"packages": {as asked: [bytes to fetch (0 where its file is here), bytes on the disk, bytes of
    the installed one]}}, without those that no repository has.
    """
    base = ask_dnf._with_repositories(question)
    found = {}
    for asked, version in question["packages"].items():
        one = _offered(base, asked, version)
        if one is not None:
            now = base.sack.query().installed().filter(name=one.name, arch=one.arch)
            fetch = 0 if ask_dnf._is_here(one) else int(one.downloadsize)
            found[asked] = [
                fetch,
                int(one.installsize),
                max((int(own.installsize) for own in now), default=0),
            ]
    return {"packages": found}


def _offered(base: Any, asked: str, version: str) -> Any:
    """The package of that name and version; of several architectures the first."""
    name, _, arch = asked.rpartition(".")
    some = base.sack.query(flags=hawkey.IGNORE_EXCLUDES).available()
    for terms in ({"name": asked}, {"name": name, "arch": arch}):
        fitting = [
            one for one in some.filter(**terms) if version in (one.evr, f"{one.version}-{one.release}")
        ]
        if fitting:
            return sorted(fitting)[0]
    return None


if __name__ == "__main__":
    ask_dnf._QUESTIONS["sizes"] = sizes
    ask_dnf.main()
