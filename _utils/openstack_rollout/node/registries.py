"""Registries as the pillar declares them: the login and the mirrors of each, for one pull or one question.

Programs get both as files in memory alone, which are gone with the process that made them, however it ends:
no login is written to a disk, stands in a list of arguments, or is left behind. The node's own configuration
stays as it is; of a registry that is not declared it alone counts. The master asks by the same rules.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from openstack_rollout.vocabulary import SIGNED_BY

#: The pillar of a node that has what is declared of the registries from which it pulls.
KEY = "openstack_registries"
_CONF = "CONTAINERS_REGISTRIES_CONF"
_SYSTEM = Path("/etc/containers")
_WILDCARD = "*."
_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made there has no name

Declared = Mapping[str, Mapping[str, Any]]


class Unreadable(Exception):
    """The login of a registry is declared, and cannot be read. Its text says which."""


class Given(NamedTuple):
    """What a program is given: paths of its authentication file (containers-auth.json(5)) and of its
    registries (containers-registries.conf(5)), "" for none; the descriptors behind them, which it inherits.
    """

    auth: str
    conf: str
    descriptors: tuple[int, ...]


def of(pillar: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is declared of the registries from which a node pulls.

    pillar (dict): the node's, `__pillar__` of a module.

    Returns {registry, or registry/path: {"username", "password", "mirrors", one of SIGNED_BY}}: without a
    login where none is declared, and with "unreadable", why, in its place where the master could not read it.
    """
    return dict(pillar.get(KEY) or {})


def needed(mirrors: Mapping[str, Iterable[str]], references: Iterable[str]) -> set[str]:
    """The declared places that count for some images, or for where mirrors of theirs are.

    mirrors (dict): place → its mirrors, of all that are declared. references (list): of images.
    """
    found: set[str] = set()
    for name in {_name(reference) for reference in references}:
        for one in [name, *_mirrored(name, mirrors)]:
            found.update(place for place in mirrors if _within(one, place))
    return found


def place_of_login(reference: str, declared: Declared) -> str | None:
    """The declared place whose login counts for an image: the longest that has one; None where none has.

    reference (str): the image's. declared (dict): as of `of`.
    """
    logins = [place for place, one in declared.items() if one.get("username") or one.get("unreadable")]
    return _place(_name(reference), logins)


def login(reference: str, declared: Declared) -> tuple[str, str] | None:
    """The user and the password that are declared for an image's own registry; None where none are.

    reference (str): the image's. declared (dict): as of `of`. Raises Unreadable.
    """
    place = place_of_login(reference, declared)
    if place is None:
        return None
    if why := declared[place].get("unreadable"):
        raise Unreadable(why)
    return declared[place]["username"], declared[place]["password"]


def signing(reference: str, declared: Declared) -> dict[str, Any]:
    """How an image has to be signed: {one of SIGNED_BY: what is declared of it}; {} where it need not be.

    reference (str): the image's. declared (dict): as of `of`.
    """
    found = {
        place: {kind: one[kind] for kind in SIGNED_BY if one.get(kind)} for place, one in declared.items()
    }
    place = _place(_name(reference), [name for name, wanted in found.items() if wanted])
    return found[place] if place else {}


def names(reference: str, declared: Declared) -> list[str]:
    """registry/repository of an image, and where it is in mirrors.

    reference (str): the image's. declared (dict): as of `of`.
    """
    name = _name(reference)
    return [name, *_mirrored(name, {place: one.get("mirrors") or () for place, one in declared.items()})]


@contextmanager
def given(reference: str, declared: Declared) -> Iterator[Given]:
    """What a program needs to reach an image's registry, and its mirrors before it, for a while.

    reference (str): the image's. declared (dict): as of `of`. Of the logins only those of these registries
    are in there. Raises Unreadable.
    """
    name, *mirrors = names(reference, declared)
    logins = {}
    for one in (name, *mirrors):
        if found := login(one, declared):
            auth = base64.b64encode(":".join(found).encode()).decode()
            logins[place_of_login(one, declared)] = {"auth": auth}
    login_file = json.dumps({"auths": logins}) if logins else ""
    conf = _with_mirrors(name, mirrors) if mirrors else ""
    with ExitStack() as opened:
        files = {text: opened.enter_context(_in_memory(text)) for text in (login_file, conf) if text}
        paths = {text: f"/proc/self/fd/{descriptor}" for text, descriptor in files.items()}
        own = os.environ.get(_CONF, "")
        yield Given(paths.get(login_file, ""), paths.get(conf, own), tuple(files.values()))


def environment(reached: Given) -> dict[str, str]:
    """The variables by which podman takes what it is given.

    reached: of `given`.
    """
    found = {"REGISTRY_AUTH_FILE": reached.auth, _CONF: reached.conf}
    return {name: path for name, path in found.items() if path}


@contextmanager
def _in_memory(text: str) -> Iterator[int]:
    """The descriptor of a file in memory that has no name, for its owner alone."""
    # Not os.memfd_create: a Python that was built for old systems, as Salt's own is, may lack it.
    with tempfile.TemporaryFile("w", encoding="utf-8", dir=_MEMORY if _MEMORY.is_dir() else None) as file:
        file.write(text)
        file.flush()
        yield file.fileno()


def _name(reference: str) -> str:
    """registry/repository of a reference."""
    name = reference.partition("@")[0]
    head, _, last = name.rpartition("/")
    return f"{head}/{last.partition(':')[0]}" if head else last


def _within(name: str, place: str) -> bool:
    return name == place or name.startswith(f"{place}/")


def _place(name: str, places: Iterable[str]) -> str | None:
    """The longest of some places in which a name is."""
    return max((one for one in places if _within(name, one)), key=len, default=None)


def _mirrored(name: str, mirrors: Mapping[str, Iterable[str]]) -> list[str]:
    """The names of an image in the mirrors of its registry, in their order."""
    place = _place(name, [one for one, some in mirrors.items() if some])
    return [f"{one}{name[len(place) :]}" for one in mirrors[place]] if place else []


def _with_mirrors(name: str, mirrors: Iterable[str]) -> str:
    """The configuration of this machine, and mirrors of one image before those that it has there anyway.

    An image that comes from a mirror has the name of its own registry, so what is declared and what is
    measured do not change with where it comes from.
    """
    main, entries = _own()
    own = _entry(name, entries)
    prefix = own.get("prefix") or own.get("location") or ""
    rest = "" if prefix.startswith(_WILDCARD) else name[len(prefix) :]
    moved = bool(own.get("location")) and not prefix.startswith(_WILDCARD)
    lines = [
        "[[registry]]",
        f"prefix = {json.dumps(name)}",
        f"location = {json.dumps(own['location'] + rest if moved else name)}",
        f"insecure = {_bool(own.get('insecure'))}",
        f"blocked = {_bool(own.get('blocked'))}",
    ]
    there = [(one, bool(_entry(one, entries).get("insecure"))) for one in mirrors]
    if moved:
        there += [(f"{one['location']}{rest}", bool(one.get("insecure"))) for one in own.get("mirror") or ()]
    for location, insecure in there:
        lines += [
            "[[registry.mirror]]",
            f"location = {json.dumps(location)}",
            f"insecure = {_bool(insecure)}",
        ]
    return "\n".join([main, *lines, ""])


def _own() -> tuple[str, list[dict[str, Any]]]:
    """The text of this machine's configuration, and the registries that it names, drop-ins included."""
    folders = (Path.home() / ".config/containers", _SYSTEM)
    paths = [Path(os.environ[_CONF])] if os.environ.get(_CONF) else []
    paths += [folder / "registries.conf" for folder in folders]
    main = next((text for path in paths if (text := _text(path))), "")
    others = [_text(path) for one in folders for path in sorted(one.glob("registries.conf.d/*.conf"))]
    return main, [entry for text in (main, *others) for entry in _entries(text)]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _entries(text: str) -> list[dict[str, Any]]:
    """What cannot be read, the program will say."""
    try:
        found = tomllib.loads(text).get("registry")
    except tomllib.TOMLDecodeError:
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _entry(name: str, entries: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What is said of a name: by the longest prefix, the last one where several are as long."""
    found: Mapping[str, Any] = {}
    length = 0
    for entry in entries:
        prefix = str(entry.get("prefix") or entry.get("location") or "")
        if len(prefix) >= length and prefix and _is_of(name, prefix):
            found, length = entry, len(prefix)
    return found


def _is_of(name: str, prefix: str) -> bool:
    if prefix.startswith(_WILDCARD):
        return name.partition("/")[0].endswith(prefix[1:])
    return _within(name, prefix)


def _bool(value: Any) -> str:
    return "true" if value else "false"
