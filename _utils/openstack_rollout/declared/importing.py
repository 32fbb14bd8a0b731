"""From what a source says to releases of the catalogue: what is taken, copied, left out, and missing.

Pure, and nothing is guessed: what is doubled with different values, or malformed, is a problem of its own
line, and what has no place here is named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from openstack_rollout.declared import references, releases, translation, version_order
from openstack_rollout.declared.names import NAME, RELEASE
from openstack_rollout.declared.problems import few_suggestions, path, shown
from openstack_rollout.declared.services import BACKEND_MAPS
from openstack_rollout.declared.sources.found import Listed, Named, Source, Style
from openstack_rollout.declared.sources.naming import Fate, Names, repository
from openstack_rollout.declared.version_order import Said
from openstack_rollout.errors import RolloutError

if TYPE_CHECKING:
    from openstack_rollout.declared.model import Model

DEFAULT = "default"
_LATEST = "latest"


@dataclass
class Taken:
    """What was made of some images.

    images: key, or key:backend → reference. sources: the same → what the source calls it. copied: key → the
    key whose image it has. skipped: [{name, why, detail}]; why: a word of screens.release_import. repaired:
    name → how it is spelt right. repeated: names that are there again with the same image. latest: keys whose
    reference has no tag.
    """

    images: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    copied: dict[str, str] = field(default_factory=dict)
    skipped: list[dict[str, str]] = field(default_factory=list)
    repaired: dict[str, str] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    latest: list[str] = field(default_factory=list)
    _told: set[tuple[str, str, str]] = field(default_factory=set, repr=False)

    def skip(self, name: str, why: str, detail: str = "") -> None:
        """Leave a name out."""
        if (name, why, detail) not in self._told:
            self._told.add((name, why, detail))
            self.skipped.append({"name": name, "why": why, "detail": detail})

    def record(self) -> dict[str, Any]:
        """All of it but the images, as plain data."""
        return {
            "taken": dict(self.sources),
            "copied": dict(self.copied),
            "skipped": list(self.skipped),
            "repaired": dict(self.repaired),
            "repeated": list(self.repeated),
            "latest": list(self.latest),
        }


@dataclass
class Imported:
    """A release, and what it was made of. said: what it has to say of its order."""

    version: str
    taken: Taken
    said: Said = field(default_factory=Said)
    more: Mapping[str, Any] = field(default_factory=dict)

    def content(self) -> dict[str, Any]:
        """The release as a release file has it."""
        said = {key: one for key, one in asdict(self.said).items() if one is not None}
        return {**said, "images": nested(self.taken.images), **self.more}


def read(
    model: Model, source: Source, version: str | None, skip: Collection[str], follows: str | None
) -> tuple[list[Imported], Taken]:
    """The releases of a source, oldest first, and its custom images.

    version (str): what the release is called, or which of several is meant. skip: globs of image keys, and of
    the source's names, that are left out. follows (str): a version that the oldest of them is newer than.

    Raises RolloutError RELEASE_REFUSED with all that is wrong, and WRONG_ARGUMENT for a version that is none.
    """
    taking = _Taking(Names(model), source, skip)
    with few_suggestions():
        every = [(one, taking.take(one.images)) for one in _chosen(source, version)]
        custom = taking.take(source.custom, copies=False)
    problems, found = taking.problems, []
    if not problems and not any(taken.images for _, taken in every):
        problems = ["holds no image that a release has"]
    if not problems:
        found = [Imported(_version(*one, source, version), one[1], one[0].said, one[0].more) for one in every]
        problems = list(_unfit(model, found))
    if not problems:
        found = _ordered(found, follows)
        problems = [*_unfit(model, found[:1]), *_unclear(model, found)]
    if problems:
        more = f" (and {len(problems) - 1} more: {'; '.join(problems[1:])})" if problems[1:] else ""
        raise RolloutError("RELEASE_REFUSED", f"SOURCE: {problems[0]}{more}")
    return found, custom


def missing(model: Model, images: Mapping[str, Any], version: str) -> dict[str, list[str]]:
    """Image key → the enabled services that need it and have none: neither of a release nor custom.

    images: of a release file. version (str): the release, for what its defaults enable where it is in the
    catalogue.
    """
    release = releases.Release(images=dict(images))
    lacks: dict[str, list[str]] = {}
    known = version if version in model.releases else releases.NO_RELEASE
    for service in model.catalogue.services(known).values():
        needs = service.enabled and service.deploy == "container"
        if needs and releases.image(model, release, *service.image_key) is None:
            lacks.setdefault(service.image, []).append(service.name)
    return dict(sorted(lacks.items()))


def changes(model: Model, earlier: Imported | None, new: Imported) -> dict[str, Any]:
    """What a release changes since the one before it: {"since", "changed": key → [old, new], "added",
    "gone"}.

    earlier: the one before of the same source, None: that of the catalogue.
    """
    if earlier is not None:
        since, before = earlier.version, dict(earlier.taken.images)
    else:
        said = {**releases.said_by(model.releases), new.version: new.said}
        older = [name for name in model.ordered if version_order.newer(new.version, name, said)]
        since = older[-1] if older else ""
        images = model.releases[since].images if since else {}
        before = {name: reference for name, _, reference in releases.references_of(images)}
    now = new.taken.images
    return {
        "since": since,
        "changed": {
            key: [before[key], now[key]] for key in sorted(now) if before.get(key, now[key]) != now[key]
        },
        "added": sorted(now.keys() - before.keys()) if since else [],
        "gone": sorted(before.keys() - now.keys()),
    }


def pin(model: Model, taken: Taken, digests: Mapping[str, str | RolloutError]) -> list[tuple[str, str]]:
    """Put digests in place of tags. Returns what is wrong with images that are needed, as (reason, line).

    digests: reference → the registry's digest, or its error. An image that cannot be pinned and that no
    enabled service needs is left out.
    """
    wrong: dict[tuple[str, str], None] = {}
    for key, reference in list(taken.images.items()):
        answer = digests.get(reference)
        if answer is None:
            continue
        if not isinstance(answer, RolloutError):
            taken.images[key] = str(references.parse(reference).pinned(answer))
        elif needed(model, key):
            place = f"{key}: " if answer.reason == "IMAGE_MISSING" else ""
            wrong[answer.reason, f"{place}{answer.message}"] = None
        else:
            taken.skip(taken.sources.get(key, key), "unpinned", f"{answer.reason}: {answer.message}")
            for some in (taken.images, taken.sources, taken.copied):
                some.pop(key, None)
    return list(wrong)


def needed(model: Model, key: str) -> bool:
    """Whether an enabled service has an image: its key, or key:backend."""
    services = model.catalogue.services().values()
    return any(one.enabled and one.image == key.partition(":")[0] for one in services)


def same(model: Model, version: str) -> str:
    """The release of the catalogue that is of this version already, "" for none."""
    return next((name for name in model.ordered if version_order.by_name(name, version) == 0), "")


def file_text(version: str, content: Mapping[str, Any], origin: str) -> str:
    """The release file. content: of the release. origin (str): the function that writes it."""
    whole = {"openstack": {"releases": {version: content}}}
    # No template is rendered in it.
    start = f"#!yaml\n# Written by salt-run {origin}.\n"
    return start + yaml.safe_dump(whole, sort_keys=False, width=200)


def tags(taken: Taken) -> list[str]:
    """The references by tag alone."""
    return [one for one in dict.fromkeys(taken.images.values()) if references.digest_of(one) is None]


def nested(images: Mapping[str, str]) -> dict[str, Any]:
    """key, or key:backend → reference, as a release has it: by back end where the key is a map of them."""
    result: dict[str, Any] = {}
    for name, reference in sorted(images.items()):
        key, _, backend = name.partition(":")
        if backend:
            result.setdefault(key, {})[backend] = reference
        else:
            result[key] = reference
    return result


def _chosen(source: Source, version: str | None) -> Sequence[Listed]:
    if not source.choose or version is None:
        return source.releases
    found = [one for one in source.releases if one.version == version]
    if not found:
        has = ", ".join(one.version for one in source.releases)
        raise RolloutError(
            "WRONG_ARGUMENT", f"version: {shown(version)} is not in the {source.kind}, it has {has}"
        )
    return found


def _version(one: Listed, taken: Taken, source: Source, wanted: str | None) -> str:
    """What a release is called: as asked for, as the source says, or as the one tag that all its images have.

    Raises RolloutError WRONG_ARGUMENT where nothing tells, RELEASE_REFUSED where the source's is no name.
    """
    if wanted is not None:
        if text := RELEASE.problem(wanted):
            raise RolloutError("WRONG_ARGUMENT", f"version: {text}")
        return wanted
    version = one.version
    if one.several:
        names = f"the {source.kind} names several versions: {', '.join(one.several)}"
        raise RolloutError("WRONG_ARGUMENT", f"version: give one: {names}")
    if not version:
        named = {references.parse(reference).tag for reference in taken.images.values()}
        tag = next(iter(named)) if len(named) == 1 else None
        if tag is None or not any(map(str.isdigit, tag)):
            said = f"; {'; '.join(source.notes)}" if source.notes else ""
            what = f"the one tag {tag} is no version" if tag else "its images have no one tag"
            raise RolloutError(
                "WRONG_ARGUMENT", f"version: give one: the {source.kind} has none, and {what}{said}"
            )
        version = tag
    if text := RELEASE.problem(version):
        raise RolloutError("RELEASE_REFUSED", f"SOURCE: its version: {text}; version= names it otherwise")
    return version


class _Taking:
    """Makes something of the images of a source, and collects what is wrong with them."""

    def __init__(self, names: Names, source: Source, skip: Collection[str]):
        self._names, self._style, self._skip = names, source.style, skip
        self._deployer = source.deployer
        self.problems: list[str] = []

    def take(self, images: Iterable[Named], *, copies: bool = True) -> Taken:
        """What is made of images. copies: whether keys that the source lacks get the image of another."""
        taken = Taken()
        first: dict[str, tuple[str, str]] = {}
        counted: Counter[str] = Counter()
        for one in images:
            fate = self._names.of(self._style, one.name)
            counted.update(fate.deployers)
            called = f"{one.name}:{one.backend}" if one.backend else one.name
            if why := self._left_out(one, fate):
                taken.skip(called, *why)
                continue
            if fate.spelt:
                taken.repaired[one.name] = fate.spelt
            for key in fate.keys:
                try:
                    _take(taken, first, key, one)
                except ValueError as error:
                    self.problems.append(f"{called} ({one.where}): {error}")
        if copies:
            self._copy(taken, counted)
        return taken

    def _left_out(self, one: Named, fate: Fate) -> tuple[str, ...]:
        """Why an image is left out, and more of that; () where it is taken."""
        words = [one.name, f"{one.name}:{one.backend}", *fate.keys]
        words += [f"{key}:{one.backend or DEFAULT}" for key in fate.keys]
        if self._style is Style.REPOSITORY:
            words.append(repository(one.name))
        if self._asked(words):
            return ("asked",)
        if fate.skipped:
            return ("no_node",)
        if not fate.keys:
            return "unknown", fate.near
        if not one.reference:
            return ("apart", one.apart) if one.apart else ("empty",)
        return ()

    def _copy(self, taken: Taken, counted: Mapping[str, int]) -> None:
        for key, other in self._names.copied(self._deployer, counted).items():
            if key not in taken.images and other in taken.images and not self._asked([key]):
                taken.images[key], taken.copied[key] = taken.images[other], other

    def _asked(self, words: Iterable[str]) -> bool:
        return any(fnmatchcase(word, glob) for glob in self._skip for word in words)


def _take(taken: Taken, first: dict[str, tuple[str, str]], key: str, one: Named) -> None:
    """Take the image of a key. first: who named a key first, and where. Raises ValueError."""
    if key not in BACKEND_MAPS and one.backend:
        raise ValueError(f"{key} is one image, and no map of back ends")
    backend = (one.backend or DEFAULT) if key in BACKEND_MAPS else ""
    if backend and (text := NAME.problem(backend)):
        raise ValueError(text)
    name = f"{key}:{backend}" if backend else key
    called = f"{one.name}:{one.backend}" if one.backend else one.name
    reference, assumed = _reference(one.reference)
    if name not in first:
        first[name] = called, one.where
        taken.images[name], taken.sources[name] = reference, called
        taken.latest += [name] if assumed else []
    elif taken.images[name] == reference:
        taken.repeated.append(called)
    else:
        before, where = first[name]
        raise ValueError(
            f"{shown(reference)} would be a second image of {name}, beside {shown(taken.images[name])} of"
            f" {before} ({where}): skip= leaves a name out"
        )


def _reference(text: str) -> tuple[str, bool]:
    """A reference with a tag or a digest, and whether its tag was not there. Raises ValueError."""
    text = text.removeprefix("docker://")
    bare = "@" not in text and ":" not in text.rpartition("/")[2]
    return str(references.parse(f"{text}:{_LATEST}" if bare else text)), bare


def _unfit(model: Model, found: Sequence[Imported]) -> Iterator[str]:
    """What the catalogue would refuse of the new releases."""
    types = {"types": dict.fromkeys([*model.service_types, *model.services])}
    for one in found:
        try:
            releases.Release.model_validate(one.content(), context=types)
        except ValidationError as error:
            for place, text in translation.problems(error, releases.Release):
                yield f"{path((one.version, *place))}: {text}"


def _ordered(found: Sequence[Imported], follows: str | None) -> list[Imported]:
    """Releases, oldest first. follows: what the oldest has to say that it is newer than."""
    by_version = {one.version: one for one in found}
    order, _ = version_order.in_order({one.version: one.said for one in found})
    first, *others = (by_version[version] for version in order)
    return [replace(first, said=replace(first.said, follows=follows)) if follows else first, *others]


def _unclear(model: Model, found: Sequence[Imported]) -> Iterator[str]:
    """The questions about the order of the catalogue with the new releases in it, and what is one release
    under two names.
    """
    new = {one.version: one.said for one in found}
    for before, name in pairwise(version_order.in_order(new)[0]):
        if version_order.decided(before, name, new) == 0:
            yield f"{name} is the same version as {before}: version= takes one of them"
    several = "version= takes one of them, and follows= says it of that"
    answer = several if found[1:] else f"follows= says it of {found[0].version}"
    for one, other in version_order.in_order({**releases.said_by(model.releases), **new})[1]:
        if one in new or other in new:
            yield (
                f"{version_order.question(one, other)}; {answer}"
                if one
                else f"{other} is newer than a release that is newer than it"
            )
