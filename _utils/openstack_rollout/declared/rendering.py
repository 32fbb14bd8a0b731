"""Why pillar files do not render: file, line and cause, where Salt says "see the master's log".

It reads the files again as Salt's renderers do, Jinja first and then YAML, without filling anything in: where
the Jinja of a file is right, but not what comes of it, Salt's own sentence stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jinja2
import yaml

from openstack_rollout.declared.problems import key_shown, plain, shown

_SLS = re.compile(r"SLS '?(?P<sls>[^\s']+)'?")
_JINJA = re.compile(r"\{[{%#]")
_USUAL_RENDERERS = ("#!yaml\n", "#!jinja|yaml\n")
#: What Salt adds to Jinja.
_SALTS_TAG = re.compile(r"unknown tag '(?:end)?_?(?:load|import|profile)(?:_\w+)?'")
_LONGEST = 500
_LARGEST = 10_000_000
#: Where the catalogue of releases lies below a pillar root.
_RELEASES = Path("openstack", "releases")
_TOP, _CATALOGUE = "openstack", "releases"


def explain(pillar_roots: Iterable[str], errors: Iterable[Any]) -> list[str]:
    """A line or more for each error of a pillar that does not render.

    pillar_roots: folders of the master's pillar_roots. errors: `_errors` of the pillar.
    """
    roots = [Path(root) for root in pillar_roots]
    found: list[str] = []
    for error in errors:
        text = plain(str(error))[:_LONGEST]
        match = _SLS.search(text)
        sls = match["sls"] if match else "top" if "top file" in text.lower() else ""
        file = _file(roots, sls)
        lines = list(_causes(*file)) if file else []
        found += lines or [f"pillar file {plain(sls)}: {text}" if sls else f"pillar: {text}"]
    return list(dict.fromkeys(found))


def stray_release_files(pillar_roots: Iterable[str]) -> list[str]:
    """What is wrong with the files of openstack/releases as a catalogue.

    A file that defines a version which another one defines too; a file whose top key is not `openstack`, and
    which is therefore ignored. Files with Jinja in them are not looked into.
    """
    found: list[str] = []
    for root in map(Path, pillar_roots):
        first: dict[str, str] = {}
        for file in sorted((root / _RELEASES).glob("*.sls")):
            name = plain(str(file.relative_to(root)))
            try:
                top = _loaded(_read(file))
            except (OSError, ValueError, yaml.YAMLError):
                continue  # Salt cannot read it either, and `explain` says why
            if not isinstance(top, dict):
                continue  # as above
            if _TOP not in top:
                named = ", ".join(map(key_shown, list(top)[:3]))
                found.append(
                    f"pillar file {name}: its top key has to be {_TOP}, not {named}; the file is ignored"
                )
                continue
            for version in _versions(top[_TOP]):
                other = first.setdefault(version, name)
                if other != name:
                    found.append(
                        f"pillar file {name}: defines release {shown(version)}, which {other} defines too"
                    )
    return found


def _versions(openstack: Any) -> list[str]:
    releases = openstack.get(_CATALOGUE) if isinstance(openstack, dict) else None
    return [str(version) for version in releases] if isinstance(releases, dict) else []


def _file(roots: Sequence[Path], sls: str) -> tuple[Path, str] | None:
    """The file of an SLS below the first root that has it, with its path below the root."""
    parts = sls.split(".")
    if not sls or not all(re.fullmatch(r"[\w+-]+", part) for part in parts):
        return None
    for root in roots:
        for below in (Path(*parts).with_suffix(".sls"), Path(*parts, "init.sls")):
            if (root / below).is_file():
                return root / below, str(below)
    return None


def _causes(file: Path, name: str) -> Iterator[str]:
    try:
        text = _read(file)
    except (OSError, ValueError) as error:
        yield f"pillar file {name}: cannot be read: {plain(str(error))}"
        return
    if text.startswith("#!") and not text.startswith(_USUAL_RENDERERS):
        return
    if _JINJA.search(text):
        try:
            jinja2.Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"]).parse(text)  # noqa: S701
        except jinja2.TemplateSyntaxError as error:
            if not _SALTS_TAG.search(str(error.message)):
                yield f"pillar file {name} line {error.lineno}: {plain(str(error.message))}"
        return
    try:
        top = _loaded(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" line {mark.line + 1}" if mark else ""
        said = [part for part in (error.context, error.problem) if part]
        yield f"pillar file {name}{line}: {plain(', '.join(said))}"
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        yield f"pillar file {name}: {plain(str(error)) or 'is nested too deeply'}"
    else:
        if not isinstance(top, dict):
            yield f"pillar file {name}: has to be a mapping, with {_TOP} as its top key"


def _read(file: Path) -> str:
    if file.stat().st_size > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST} bytes")
    return file.read_text(encoding="utf-8")


def _loaded(text: str) -> Any:
    """What YAML makes of a text without Jinja; None of one with it. Raises yaml.YAMLError."""
    if _JINJA.search(text):
        return None
    _refuse_doubles(yaml.compose(text, Loader=yaml.SafeLoader))
    return yaml.load(text, Loader=_Loader)  # noqa: S506, it is PyYAML's safe one


class _Loader(yaml.SafeLoader):
    """As Salt's: a date is text."""


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_scalar)  # type: ignore[type-var]


def _refuse_doubles(root: yaml.Node | None) -> None:
    """Raise yaml.constructor.ConstructorError where a mapping has a key twice, as Salt does."""
    left, seen = [root] if root else [], set()
    while left:
        node = left.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            left += node.value
            continue
        first: dict[tuple[str, Any], int] = {}
        for key, value in node.value:
            left.append(value)
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if (key.tag, key.value) in first:
                text = f"key {shown(key.value)} is there twice, first in line {first[key.tag, key.value]}"
                raise yaml.constructor.ConstructorError(None, None, text, key.start_mark)
            first[key.tag, key.value] = line
