"""Values of a quadlet that systemd and podman split into words: as they do it, and what is wrong with them.

Quotes may begin anywhere in a word, and a backslash takes what follows it as it is. A word that is not what
its writer meant shows on a node at the earliest: podman drops the unit, or the container gets other words.
"""

from __future__ import annotations

from collections.abc import Iterable

from openstack_rollout.declared.problems import shown
from openstack_rollout.declared.quadlet_keys import OUR_OPTIONS

#: Labels of ours begin so.
OUR_LABELS = "openstack-rollout."


def words(value: str) -> list[str] | None:
    """The words of a value without their quotes; None where a quote is not closed."""
    found: list[str] = []
    quote, word, rest = "", None, iter(value)
    for one in rest:
        if one == "\\":
            word = (word or "") + next(rest, "")
        elif quote:
            if one == quote:
                quote = ""
            else:
                word = (word or "") + one
        elif one in "\"'":
            quote, word = one, word or ""
        elif one != " ":
            word = (word or "") + one
        elif word is not None:
            found.append(word)
            word = None
    if word is not None:
        found.append(word)
    return None if quote else found


def pairs(key: str, some: Iterable[str]) -> str:
    """What is wrong with words of which each has to be NAME=VALUE, "" for nothing."""
    before = ""
    for word in some:
        name, found, _ = word.partition("=")
        if not found or not name or " " in name:
            text = f"{shown(word)} has to be a name and its value: NAME=VALUE"
            whole = f'"{before} {word}"'
            return f"{text}; a value with blanks needs quotes: {shown(whole)[1:-1]}" if before else text
        if key == "Label" and name.startswith(OUR_LABELS):
            return f"{shown(word)} is a label that is not yours to set: {OUR_LABELS}"
        before = word
    return ""


def options(some: Iterable[str]) -> str:
    """What is wrong with arguments of podman, "" for nothing."""
    before = ""
    for word in some:
        option, _, value = word.partition("=")
        if option in OUR_OPTIONS:
            return f"{option} is ours to set"
        label = value if option in ("--label", "-l") else word if before in ("--label", "-l") else ""
        if label.startswith(OUR_LABELS):
            return f"a label {OUR_LABELS} is ours to set"
        before = word
    return ""
