"""Build the apt repository of the lab's Debian machine: the base image's Open vSwitch, packed as a newer one.

The packages have the distribution's own scripts: what they do to the switch's services is what an update has
to survive. The first release is what the base image has installed.
"""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

from . import cache, settings, switch_files
from .packages import Repositories

_PACKAGES = ("openvswitch-common", "openvswitch-switch")
_SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
_REVISION = "1"
_DROPPED = ("Status:", "Version:", "Conffiles:", "Source:")


def ensure(root: Path) -> Repositories:
    """Build the repository when the cache lacks it.

    Args:
        root: The base image.
    """
    code = [settings.HERE / name for name in ("debs.py", "switch_files.py")]
    key = cache.digest_of(*code, root.parent.name, settings.RELEASES)
    place = cache.ensure("debs", key, lambda work: _build(work, root))
    return Repositories(place / "repositories", None, json.loads((place / "index.json").read_text()))


def _build(work: Path, root: Path) -> None:
    upstream, _, revision = _field(_stanza(root, _PACKAGES[0]), "Version").partition("-")
    major, minor, patch = upstream.split(".")
    newer = f"{major}.{minor}.{(int(patch) + 1) % 10}"  # as long as the old one
    repository = work / "repositories/debian"
    repository.mkdir(parents=True)
    files = switch_files.make(root, newer, work / "files", older_schema=True)
    # Debian keeps the switch itself behind an alternative
    files["/usr/lib/openvswitch-switch/ovs-vswitchd"] = files.pop("/usr/sbin/ovs-vswitchd")
    entries = [
        _pack(root, name, f"{upstream}-{revision}", f"{newer}-{_REVISION}", files, work / name, repository)
        for name in _PACKAGES
    ]
    listing = "\n".join(entries).encode()
    (repository / "Packages").write_bytes(listing)
    checksum = hashlib.sha256(listing).hexdigest()
    (repository / "Release").write_text(
        f"Suite: lab\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n {checksum} {len(listing)} Packages\n"
    )
    versions = (f"{upstream}-{revision}", f"{newer}-{_REVISION}")
    index = {
        release: dict.fromkeys(_PACKAGES, version)
        for release, version in zip(settings.RELEASES, versions, strict=True)
    }
    (work / "index.json").write_text(json.dumps(index, indent=1))
    for scratch in ("files", *_PACKAGES):
        shutil.rmtree(work / scratch)


def _pack(
    root: Path, name: str, old: str, new: str, files: dict[str, Path], tree: Path, repository: Path
) -> str:
    """Pack what a package has installed in the root, some files replaced; its entry in the index."""
    information = root / "var/lib/dpkg/info"
    for line in (information / f"{name}.list").read_text().splitlines():
        _copy(files.get(line, root / line.lstrip("/")), tree / line.lstrip("/"))
    control = tree / "DEBIAN"
    control.mkdir(mode=0o755)
    for script in _SCRIPTS:
        if (information / f"{name}.{script}").exists():
            shutil.copy(information / f"{name}.{script}", control / script)
    if (information / f"{name}.conffiles").exists():
        shutil.copy(information / f"{name}.conffiles", control / "conffiles")
    fields = _fields(_stanza(root, name).replace(f"(= {old})", f"(= {new})"), new)
    (control / "control").write_text(fields)
    target = repository / f"{name}_{new}.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(tree), str(target)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    content = target.read_bytes()
    checksum = hashlib.sha256(content).hexdigest()
    return f"{fields}Filename: {target.name}\nSize: {len(content)}\nSHA256: {checksum}\n"


def _copy(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        target.mkdir(parents=True, exist_ok=True, mode=0o755)
    elif source.is_symlink() or source.is_file():  # documentation is on no machine of the lab
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)


def _stanza(root: Path, name: str) -> str:
    """A package's entry in the root's list of installed ones."""
    for stanza in (root / "var/lib/dpkg/status").read_text().split("\n\n"):
        if stanza.startswith(f"Package: {name}\n"):
            return stanza
    raise RuntimeError(f"the base image does not have {name}")


def _field(stanza: str, name: str) -> str:
    return next(line.partition(": ")[2] for line in stanza.splitlines() if line.startswith(f"{name}: "))


def _fields(stanza: str, version: str) -> str:
    """The fields of a package that is not installed yet."""
    kept, keeping = [], True
    for line in stanza.strip().splitlines():
        if not line.startswith(" "):
            keeping = not line.startswith(_DROPPED)
        if keeping:
            kept.append(line)
    return "\n".join([*kept, f"Version: {version}", ""])
