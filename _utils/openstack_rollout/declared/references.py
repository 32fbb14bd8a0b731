"""Image references: their parts, and what is wrong with a malformed one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from openstack_rollout.declared.problems import shown

_LONGEST = 512
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::([0-9]{{1,5}}))?")
_TRANSPORT = re.compile(r"[a-z][a-z0-9+.-]*://")
_PORTS = 65_535
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Reference:
    """An image reference: registry/repository[:tag][@digest].

    The registry is required: nodes have no default one.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        """The reference as it is written."""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}{tag}{digest}"

    def pinned(self, digest: str) -> Reference:
        """The same image by digest alone, as a release holds it."""
        return Reference(self.registry, self.repository, None, digest)


def parse(reference: str) -> Reference:
    """The parts of an image reference.

    Raises ValueError that says what is wrong with it.
    """
    if not isinstance(reference, str) or not reference.strip():
        raise ValueError(f"{shown(reference)} is not an image reference")
    if len(reference) > _LONGEST:
        raise ValueError(f"{shown(reference)} is too long: {_LONGEST} characters are allowed")
    name, at, digest = reference.partition("@")
    registry, slash, path = name.partition("/")
    repository, colon, tag = path.partition(":")
    text = ""
    if transport := _TRANSPORT.match(reference):
        text = f"leave {transport[0]} out"
    elif at and not _DIGEST.fullmatch(digest) and _DIGEST.fullmatch(digest.lower()):
        text = "the digest has to be in lower case"
    elif at and not _DIGEST.fullmatch(digest):
        text = "the digest has to be sha256: and 64 hexadecimal digits"
    elif not slash or not ("." in registry or ":" in registry or registry == "localhost"):
        text = "has to begin with a registry, such as registry.example/"
    elif not (found := _REGISTRY.fullmatch(registry)):
        text = f"{shown(registry)} is not a registry's name"
    elif found[1] and not 0 < int(found[1]) <= _PORTS:
        text = f"{found[1]} is not a port: give one from 1 to {_PORTS}"
    elif not _REPOSITORY.fullmatch(repository):
        text = f"{shown(repository) if repository else 'nothing'} is not a repository's name"
    elif colon and not _TAG.fullmatch(tag):
        text = f"{shown(tag) if tag else 'nothing'} is not a tag"
    elif not colon and not at:
        text = "needs a digest or a tag"
    if text:
        raise ValueError(f"{shown(reference)}: {text}")
    return Reference(registry, repository, tag or None, digest or None)


def digest_of(reference: str) -> str | None:
    """The digest that a well-formed reference ends with, None where it has none."""
    return reference.rpartition("@")[2] if "@sha256:" in reference else None
