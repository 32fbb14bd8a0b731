"""Write the storage of a registry without one: layers, blobs, manifests and tags."""

import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

from . import settings

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


class Storage:
    """A docker registry's storage directory, written as the registry writes it."""

    def __init__(self, place: Path) -> None:
        self._root = place / "docker/registry/v2"
        self._sizes: dict[str, int] = {}
        self._architecture = _output("dpkg", "--print-architecture").strip()

    def blob(self, content: bytes) -> str:
        """Store content; its digest."""
        digest = hashlib.sha256(content).hexdigest()
        path = self._root / "blobs/sha256" / digest[:2] / digest / "data"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self._sizes[digest] = len(content)
        return digest

    def adopt(self, path: Path, digest: str) -> None:
        """Take a file of that digest for a blob; a hard link, so it has to be on the same file system."""
        target = self._root / "blobs/sha256" / digest[:2] / digest / "data"
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, target)
        self._sizes[digest] = path.stat().st_size

    def manifest(self, digest: str) -> dict:
        """The descriptor of an image's manifest, as an index names it."""
        return self._descriptor(_MANIFEST, digest)

    def image(self, repository: str, tag: str, layers: list[str], config: dict) -> str:
        """Store an image of existing layers under a repository and tag; its reference by digest."""
        configuration = self._document(
            {
                "created": "2026-01-01T00:00:00Z",
                "architecture": self._architecture,
                "os": "linux",
                "config": config,
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}" for layer in layers]},
            }
        )
        manifest = self._document(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": self._descriptor(_CONFIG, configuration),
                "layers": [self._descriptor(_LAYER, layer) for layer in layers],
            }
        )
        for digest in (configuration, *layers):
            self._link(f"{repository}/_layers/sha256/{digest}/link", digest)
        self._link(f"{repository}/_manifests/revisions/sha256/{manifest}/link", manifest)
        self._link(f"{repository}/_manifests/tags/{tag}/current/link", manifest)
        self._link(f"{repository}/_manifests/tags/{tag}/index/sha256/{manifest}/link", manifest)
        return f"{settings.REGISTRY}/{repository}@sha256:{manifest}"

    def _document(self, value: dict) -> str:
        return self.blob(json.dumps(value, sort_keys=True).encode())

    def _descriptor(self, kind: str, digest: str) -> dict:
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": self._sizes[digest]}

    def _link(self, name: str, digest: str) -> None:
        path = self._root / "repositories" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"sha256:{digest}")


class Layer:
    """A tar whose bytes depend on its content alone."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._tar = tarfile.TarFile(fileobj=self._buffer, mode="w", format=tarfile.PAX_FORMAT)

    def directory(self, name: str, mode: int = 0o755) -> None:
        self._add(name, tarfile.DIRTYPE, mode)

    def link(self, name: str, target: str) -> None:
        self._add(name, tarfile.SYMTYPE, 0o777, target=target)

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        self._add(name, tarfile.REGTYPE, mode, content)

    def content(self) -> bytes:
        self._tar.close()
        return self._buffer.getvalue()

    def _add(self, name: str, kind: bytes, mode: int, content: bytes = b"", target: str = "") -> None:
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(content), target
        self._tar.addfile(entry, io.BytesIO(content))


def _output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
