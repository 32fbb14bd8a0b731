"""A program as `ask_dnf`, for one more question: where the files of installed packages are to be had.

It changes nothing on the node, but for what it was asked to fetch into dnf's cache. What it has in common
with `ask_dnf`, which stands beside it, it takes from there.
"""

from __future__ import annotations

import glob
import os
import sys
from typing import Any

import dnf
import dnf.exceptions
import hawkey

# It stands beside this program; the Python of dnf knows no package of ours.
sys.path.append(os.path.dirname(os.path.abspath(__file__)))
import ask_dnf


def sources(question: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Where the files of installed packages are to be had, each of the very version that is installed.

    question: "packages" (names), "fetch": true to have what only a repository has fetched into dnf's cache,
    "setopt".

    Returns {"packages": [package]}, each with "path": of its file, "" where it is not on the node, "offered":
    whether a repository has it, and "problem": why it could not be fetched.
    """
    base = ask_dnf._with_repositories(question)
    return {"packages": [_source(base, one, question) for one in _installed(base, question["packages"])]}


def _installed(base: Any, names: list[str]) -> list[Any]:
    return sorted(base.sack.query().installed().filter(name=names))


def _source(base: Any, one: Any, question: dict[str, Any]) -> dict[str, Any]:
    # also what the operator's settings hide: it is installed all the same
    some = base.sack.query(flags=hawkey.IGNORE_EXCLUDES).available()
    offered = list(some.filter(name=one.name, evr=one.evr, arch=one.arch))
    problem = ""
    if question.get("fetch") and offered and not any(map(ask_dnf._is_here, offered)):
        try:
            base.download_packages(offered[:1])
        except dnf.exceptions.Error as error:
            problem = str(error)
    here = [package.localPkg() for package in offered if ask_dnf._is_here(package)]
    path = next(iter([*here, *_left(base, one)]), "")
    return {**ask_dnf._package(one), "path": path, "offered": bool(offered), "problem": problem}


def _left(base: Any, one: Any) -> list[str]:
    """The files of a package that dnf's cache has, also of repositories that no longer offer it."""
    file = f"{one.name}-{one.version}-{one.release}.{one.arch}.rpm"
    return sorted(glob.glob(os.path.join(base.conf.cachedir, "*", "packages", file)))


if __name__ == "__main__":
    ask_dnf._QUESTIONS["sources"] = sources
    ask_dnf.main()
