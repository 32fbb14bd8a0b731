"""Image references: their parts, and what is wrong with a malformed one."""

from __future__ import annotations

import re
from dataclasses import dataclass

_REGISTRY = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?")
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
        raise ValueError(f"{reference!r} is not an image reference")
    name, at, digest = reference.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise ValueError(f"{reference}: the digest has to be sha256: and 64 hexadecimal digits")
    registry, slash, path = name.partition("/")
    if not slash or not ("." in registry or ":" in registry or registry == "localhost"):
        raise ValueError(f"{reference}: has to begin with a registry, such as registry.example/")
    repository, colon, tag = path.partition(":")
    if not _REGISTRY.fullmatch(registry):
        raise ValueError(f"{reference}: {registry} is not a registry's name")
    if not _REPOSITORY.fullmatch(repository):
        raise ValueError(f"{reference}: {repository or 'nothing'} is not a repository's name")
    if colon and not _TAG.fullmatch(tag):
        raise ValueError(f"{reference}: {tag or 'nothing'} is not a tag")
    if not colon and not at:
        raise ValueError(f"{reference}: needs a digest or a tag")
    return Reference(registry, repository, tag or None, digest or None)
