"""Build the apt repository of the profile `packages`: the archive's packages as 1.0.0, rebuilt ones as 1.0.1.

A rebuilt package has everything of its original, its maintainer scripts too; its version is higher, what it
needs of the others in just one version it needs in their new one, and it brings a file that says so.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

from tests.lab import base, cache, chroot, settings
from tests.lab.packages import Repositories

SUFFIX = "+lab1"
#: where a rebuilt package says its version, on a machine
MARKERS = "/usr/share/lab-release"
#: what the releases name of what the machines have: services, their code, the switch, and three others
_NAMED = (
    *("keystone*", "python3-keystone", "placement-*", "python3-placement"),
    *("glance-api", "glance-common", "python3-glance"),
    *("nova-*", "python3-nova", "neutron-*", "python3-neutron", "rabbitmq-server", "mariadb-*", "galera-4"),
    *("memcached", "openvswitch-*", "python3-openvswitch", "tzdata", "openssl", "libssl3"),
)
_STRICT = re.compile(r"(?P<name>[a-z0-9][a-z0-9.+-]*)(?P<before>(?::\w+)? \(= )(?P<version>[^)]+)\)")
_DEPENDING = ("Depends", "Pre-Depends", "Recommends", "Suggests", "Breaks", "Conflicts", "Replaces")


def ensure(root: Path, layers: Mapping[str, Path]) -> Repositories:
    """Build the repository when the cache lacks it.

    Args:
        root: The machines' Debian.
        layers: Of `layers.ensure`.

    Raises:
        RuntimeError: A step failed; the message has the end of its output.
    """
    made_of = sorted(place.parent.name for place in layers.values())
    key = cache.digest_of(Path(__file__), root.parent.name, made_of)
    place = cache.ensure("packaged-debs", key, lambda work: _build(work, root, layers))
    return Repositories(place / "repositories", None, json.loads((place / "index.json").read_text()))


def _build(work: Path, root: Path, layers: Mapping[str, Path]) -> None:
    place = work / "repositories/debian"
    place.mkdir(parents=True)
    installed: dict[str, str] = {}
    for role, layer in layers.items():
        wanted = {name: version for name, version in _installed(layer, root).items() if name not in installed}
        _download(work / role, (layer, root), wanted, place)
        installed |= wanted
    newer = {name: version + SUFFIX for name, version in installed.items()}
    originals = sorted(place.glob("*.deb"))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda deb: rebuild(deb, place, newer, work / "trees"), originals))
    index(place)
    releases = dict(zip(settings.RELEASES, (installed, newer), strict=True))
    (work / "index.json").write_text(json.dumps(releases, indent=1))
    for scratch in (*layers, "trees"):
        shutil.rmtree(work / scratch, ignore_errors=True)


def _installed(layer: Path, root: Path) -> dict[str, str]:
    """What the releases name of the packages that a role's machines have: name → version."""
    status = layer / "var/lib/dpkg/status"
    query = ["dpkg-query", f"--admindir={status.parent}", "--show", "--showformat=${Package} ${Version}\\n"]
    found = dict(line.split() for line in _output(query).splitlines() if len(line.split()) == 2)
    return {name: version for name, version in found.items() if any(fnmatchcase(name, one) for one in _NAMED)}


def _download(scratch: Path, roots: Iterable[Path], wanted: Mapping[str, str], place: Path) -> None:
    log = cache.log("packaged-debs")
    upper = scratch / "upper"
    base.configure_packaging(upper)
    lower = Path(":".join(map(str, roots)))
    for argv in (
        ["apt-get", "-qq", "update"],
        ["apt-get", "-qq", "download", *(f"{name}={version}" for name, version in wanted.items())],
    ):
        chroot.run(upper, argv, log=log, lower=lower)
    for deb in upper.glob("*.deb"):
        shutil.move(deb, place / deb.name.replace("%3a", "_"))


def rebuild(
    deb: Path,
    place: Path,
    newer: Mapping[str, str],
    scratch: Path,
    edit: Callable[[Path], None] = lambda tree: None,
    **more: str,
) -> Path:
    """Pack a package again as a newer one.

    Args:
        deb: The package.
        place: Where the new one goes.
        newer: Versions of the packages that are rebuilt together.
        scratch: A directory for it.
        edit: Changes its files, in the directory that it is unpacked in.
        more: Fields of its control file that are added or replaced, `_` for `-`.
    """
    name = _field(deb, "Package")
    tree = scratch / deb.stem
    scratch.mkdir(parents=True, exist_ok=True)
    subprocess.run(["dpkg-deb", "--raw-extract", deb, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(_control(control.read_text(), newer, more))
    marker = tree / MARKERS.lstrip("/") / name
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text(f"{newer[name]}\n")
    edit(tree)
    target = place / f"{name}_{newer[name].replace(':', '_')}_{_field(deb, 'Architecture')}.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(tree), str(target)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    return target


def _control(text: str, newer: Mapping[str, str], more: Mapping[str, str]) -> str:
    def renewed(found: re.Match[str]) -> str:
        return f"{found['name']}{found['before']}{newer.get(found['name'], found['version'])})"

    lines = []
    dropped = tuple(f"{field.replace('_', '-')}:" for field in more)
    name = next(line.partition(": ")[2] for line in text.splitlines() if line.startswith("Package: "))
    for line in text.rstrip().splitlines():
        if line.startswith(dropped):
            continue
        if line.startswith("Version: "):
            lines.append(f"Version: {newer[name]}")
        elif line.startswith(tuple(f"{field}:" for field in _DEPENDING)):
            lines.append(_STRICT.sub(renewed, line))
        else:
            lines.append(line)
    return "\n".join([*lines, *(f"{field.replace('_', '-')}: {value}" for field, value in more.items()), ""])


def index(place: Path) -> None:
    """Write the index of a directory of packages."""
    with ThreadPoolExecutor(2) as pool:
        entries = list(pool.map(_entry, sorted(place.glob("*.deb"))))
    listing = "\n".join(entries).encode()
    (place / "Packages").write_bytes(listing)
    checksum = hashlib.sha256(listing).hexdigest()
    (place / "Release").write_text(
        f"Suite: lab\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n {checksum} {len(listing)} Packages\n"
    )


def _entry(deb: Path) -> str:
    with deb.open("rb") as content:
        checksum = hashlib.file_digest(content, "sha256").hexdigest()
    control = _output(["dpkg-deb", "--field", str(deb)]).rstrip()
    return f"{control}\nFilename: {deb.name}\nSize: {deb.stat().st_size}\nSHA256: {checksum}\n"


def _field(deb: Path, name: str) -> str:
    return _output(["dpkg-deb", "--field", str(deb), name]).strip()


def _output(argv: list[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
