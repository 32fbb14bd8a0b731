"""What a node has kept of its way back, as the master accepts it: records of known names, types and sizes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from openstack_rollout.declared import told
from openstack_rollout.declared.told import Lines as _Lines
from openstack_rollout.declared.told import Name as _Name
from openstack_rollout.declared.told import Names as _Names
from openstack_rollout.declared.told import Text as _Text
from openstack_rollout.declared.told import Told as _Record

#: The form of the answer; a node whose modules have another one needs saltutil.sync_all.
SCHEMA = 1
_WHAT = "what it keeps of its way back is"


class Moved(_Record):
    """A package that has another version than before a run: the one that it had, and those that it has."""

    had: _Name
    has: _Names


class Kept(_Record):
    """What a node has kept of its way back from a run.

    known: whether it was written down what was here before the run. images: those asked for that are local.
    packages: those of the run that moved since, which go back. missing: those of them that can be had nowhere
    any more → why. others: what else moved since, which stays. cannot: stage → what else cannot go back, a
    line each.
    """

    schema_: Literal[1] = Field(alias="schema")
    known: bool
    images: _Names = []
    packages: dict[_Name, Moved] = {}
    missing: dict[_Name, _Text] = {}
    others: _Names = []
    cannot: dict[_Name, _Lines] = {}


def read(node: str, answer: Any) -> Kept:
    """What a node's answer says. Raises RolloutError FACTS_INVALID."""
    return told.read(node, answer, Kept, SCHEMA, _WHAT)
