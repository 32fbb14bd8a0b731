"""The pillar with signed release files alone, where the operator's page asks for that (`require_signed`).

A release file is code: commands of migrations, and Salt's templates, which run on the master as soon as the
file is rendered; and what it says is merged with the page. So who is trusted is read of a pillar without any
release file, and each file is looked at right before Salt would render it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import salt.pillar

from openstack_rollout.declared import trust
from openstack_rollout.declared.problems import plain
from openstack_rollout.errors import RolloutError

#: What a signature's file is called, after the name of the file that is signed.
SUFFIX = ".sig"
_FILES = "openstack.releases*"  # as pillar/top.sls assigns them
_NAMED = 10  # files that a line names at most


class _Pillar(salt.pillar.Pillar):  # type: ignore[misc]
    """Salt's compilation, with those release files alone that are signed by one of some keys."""

    def __init__(self, opts: Mapping[str, Any], name: str, keys: Sequence[str]) -> None:
        super().__init__(dict(opts), {"id": name}, name, "base")
        self._keys = keys
        self.refused: dict[str, str] = {}

    def render_pstate(self, sls: str, saltenv: str, mods: Any, defaults: Any = None) -> Any:
        """As Salt, which renders each SLS by it, included ones too; of release files a signed one alone."""
        if fnmatchcase(sls, _FILES) and not self._is_taken(sls, saltenv):
            return None, mods, []
        return super().render_pstate(sls, saltenv, mods, defaults)

    def _is_taken(self, sls: str, saltenv: str) -> bool:
        if not self._keys:
            return False
        found = self.client.get_state(sls, saltenv)
        if not found.get("dest"):
            return True  # there is none, as Salt itself is going to say
        name, file = str(found["source"]).removeprefix("salt://"), Path(found["dest"])
        beside = file.with_name(file.name + SUFFIX)
        try:
            content = file.read_bytes()
            if trust.says_nothing(content):
                return False
            wrong = trust.wrong(content, beside.read_bytes(), self._keys)
        except FileNotFoundError:
            wrong = "has no signature"
        except OSError as error:
            wrong = f"it, or its signature, cannot be read: {error.strerror}"
        if wrong:
            self.refused[name] = f"{wrong} ({beside.name})"
        return not wrong


def compiled(opts: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The pillar of a minion, or of the master, as Salt compiles it.

    opts (dict): the master's, without what another compilation left in it. name: the id.
    Raises RolloutError INVALID_PILLAR where it is declared wrongly who is trusted; SIGNATURE_WRONG, with the
    name of each, where releases have to be signed and are not. None of those is rendered.
    """
    page = _of(_Pillar(opts, name, ()))
    if page.get("_errors"):
        return page
    openstack = page.get("openstack")
    keys = trust.keys(openstack)
    if not keys:
        return _of(salt.pillar.Pillar(dict(opts), {"id": name}, name, "base"))
    compiler = _Pillar(opts, name, keys)
    found = _of(compiler)
    refused = dict(trust.in_no_file(openstack)) | compiler.refused
    if refused:
        raise RolloutError("SIGNATURE_WRONG", _told(refused))
    return found


def _of(compiler: salt.pillar.Pillar) -> dict[str, Any]:
    try:
        return dict(compiler.compile_pillar())
    finally:
        compiler.destroy()


def _told(refused: Mapping[str, str]) -> str:
    some = [f"{name}: {plain(wrong)}" for name, wrong in list(refused.items())[:_NAMED]]
    more = f" and {len(refused) - len(some)} more" if len(refused) > len(some) else ""
    by = "openstack:require_signed wants a signature by one of openstack:release_keys"
    return f"{'; '.join(some)}{more}: {by}"
