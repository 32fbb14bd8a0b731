"""What a source calls an image, and which image keys that is here: by catalogue and tables of deployers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from openstack_rollout.declared.problems import suggestion
from openstack_rollout.declared.sources.found import Style
from openstack_rollout.declared.sources.operator_env import PREFIX

if TYPE_CHECKING:
    from openstack_rollout.declared.model import Model

_ENDS = re.compile(r"(?:_URL)?(?:_DEFAULT)?$")
#: Words that a resource spells in capitals.
_CAPITALS = {"api": "API"}


@dataclass(frozen=True)
class Fate:
    """What becomes of a name.

    keys: the image keys, none where it has no place here. skipped (bool): whether the tables say that it is
    of no node. spelt (str): how it is spelt right, "" where it is. near (str): `, did you mean …?`.
    deployers: whose tables know it.
    """

    keys: tuple[str, ...] = ()
    skipped: bool = False
    spelt: str = ""
    near: str = ""
    deployers: tuple[str, ...] = ()


class Names:
    """The names of a model's image keys, in every style."""

    def __init__(self, model: Model):
        self._tables = model.deployers
        #: Folded name → the name as it is spelt right, and the image key.
        self._known: dict[str, tuple[str, str]] = {}
        for table in model.deployers.values():
            self._known |= {_folded(name): (name, key) for name, key in table.image_keys.items()}
        self._known |= {_folded(key): (key, key) for key in sorted(model.catalogue.image_keys)}

    def of(self, style: Style, name: str) -> Fate:
        """What becomes of a name in a style."""
        if style is Style.REPOSITORY:
            return self._of_repository(repository(name))
        plain = _plain(style, name)
        folded = _folded(plain)
        if folded in self._known:
            right, key = self._known[folded]
            spelt = _spelt(style, right)
            return Fate((key,), spelt="" if spelt == _spelt_as(style, name, plain) else spelt)
        if any(fnmatchcase(folded, _folded(glob)) for one in self._tables.values() for glob in one.skipped):
            return Fate(skipped=True)
        if style is Style.PARAMETER:
            return Fate()  # TripleO's are spelt by a program
        known = [_spelt(style, right) for right, _ in self._known.values()]
        return Fate(near=suggestion(_spelt_as(style, name, plain), known))

    def _of_repository(self, name: str) -> Fate:
        found = {deployer: one.keys_of(name) for deployer, one in self._tables.items()}
        keys = dict.fromkeys(key for some in found.values() for key in some)
        return Fate(tuple(keys), deployers=tuple(deployer for deployer, some in found.items() if some))

    def copied(self, deployer: str, counted: Mapping[str, int]) -> dict[str, str]:
        """Image key → the one whose image it has, by the table of who made a source.

        deployer (str): whose it is, "" where the names of its images have to tell. counted: deployer → how
        many of them its table knows: the one that knows most made it.
        """
        most = max(counted.values(), default=0)
        made = [deployer] if deployer else [name for name, count in counted.items() if count == most]
        tables = [self._tables[name] for name in made if name in self._tables]
        return {key: other for one in tables for key, other in one.copied.items()}


def repository(reference: str) -> str:
    """The last part of the name of an image, without tag and digest."""
    return reference.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _plain(style: Style, name: str) -> str:
    if style is not Style.VARIABLE:
        return name
    plain = _ENDS.sub("", name.removeprefix(PREFIX)).lower()
    return plain if plain.endswith(("_image", "_images")) else f"{plain}_image"


def _spelt(style: Style, right: str) -> str:
    """How a key is spelt in a style."""
    if style is not Style.CAMEL:
        return right
    first, *rest = right.split("_")
    return first + "".join(_CAPITALS.get(word, word[:1].upper() + word[1:]) for word in rest)


def _spelt_as(style: Style, name: str, plain: str) -> str:
    return plain if style is Style.VARIABLE else name


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9*?]", "", name.lower())
