"""A repository of a test's own packages for the machine, whichever its package manager."""

from __future__ import annotations

import email.utils
import hashlib
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab import packages, settings

NAME = "own"
#: where every script of a package tells that it ran: "NAME SCRIPT …"
SCRIPTS = "/var/log/rpm-scriptlets.log"
DEB_SCRIPTS = "/var/log/deb-scripts.log"
_URL = f"http://{settings.HOST_ADDRESS}:{settings.REPOSITORY_PORT}/{NAME}"
_REPO_FILE = f"""[{NAME}]
name=Packages of a test
baseurl={_URL}
gpgcheck=0
metadata_expire=1
"""
_POSTINST = """#!/bin/sh
set -e
echo "{name} postinst {version}" >> {log}
"""


@dataclass(frozen=True)
class Deb:
    """A package of Debian's with a script that tells that it ran.

    scripts: what further scripts do, and what the postinst does besides. files: path → (text, mode).
    """

    name: str
    version: str
    depends: str = ""
    conflicts: str = ""
    scripts: dict[str, str] = field(default_factory=dict)
    files: dict[str, tuple[str, int]] = field(default_factory=dict)


def publish(node, some: Iterable[packages.Package]) -> None:
    """Have the repository offer these packages, beside those that it offers already; the machine knows it."""
    place = _place(node)
    scratch = node.lab.home / "own-packages"
    for package in some:
        packages.build(package, place, scratch)
    shutil.rmtree(scratch)
    subprocess.run(["createrepo_c", "--quiet", str(place)], check=True)
    node.exec(["tee", f"/etc/yum.repos.d/{NAME}.repo"], stdin=_REPO_FILE)


def publish_debs(node, some: Iterable[Deb]) -> None:
    """As `publish`, for a machine that is plain Debian."""
    place = _place(node)
    for deb in some:
        _build(deb, node.lab.home / "own-packages", place)
    _offer_debs(node, place)


def withdraw_debs(node, *globs: str) -> None:
    """Have the repository of Debian's packages no longer offer those of these file names."""
    place = _place(node)
    for glob in globs:
        for path in place.glob(glob):
            path.unlink()
    _offer_debs(node, place)


def _offer_debs(node, place: Path) -> None:
    """List the packages of the repository, and have the machine read that."""
    entries = []
    for path in sorted(place.glob("*.deb")):
        fields = subprocess.run(
            ["dpkg-deb", "--field", str(path)], capture_output=True, text=True, check=True
        ).stdout
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        entries.append(f"{fields}Filename: ./{path.name}\nSize: {len(content)}\nSHA256: {digest}\n")
    listing = "\n".join(entries).encode()
    (place / "Packages").write_bytes(listing)
    # Without it apt asks for each form of the index, and Salt takes what is not there for an error.
    (place / "Release").write_text(
        f"Suite: own\nDate: {email.utils.formatdate(usegmt=True)}\n"
        f"SHA256:\n {hashlib.sha256(listing).hexdigest()} {len(listing)} Packages\n"
    )
    source = f"deb [trusted=yes] {_URL} ./\n"
    node.exec(["tee", f"/etc/apt/sources.list.d/{NAME}.list"], stdin=source)
    node.exec(["tee", f"/etc/apt/apt.conf.d/99{NAME}"], stdin='Acquire::Languages "none";\n')
    # apt takes an index of the same second for the one that it has.
    node.exec(["find", "/var/lib/apt/lists", "-maxdepth", "1", "-name", f"*_{NAME}_*", "-delete"])
    node.exec(["apt-get", "--quiet", "update"])


def republish_debs(node, debs: Iterable[Path], suffix: str) -> dict[str, str]:
    """Offer real packages of Debian's once more, the same but for a higher version; {name: that version}."""
    place = _place(node)
    scratch = node.lab.home / "own-packages"
    found = {}
    for deb in debs:
        subprocess.run(["dpkg-deb", "--raw-extract", str(deb), str(scratch)], check=True)
        control = scratch / "DEBIAN/control"
        lines = control.read_text().splitlines()
        at = next(number for number, line in enumerate(lines) if line.startswith("Version: "))
        lines[at] += suffix
        control.write_text("\n".join([*lines, ""]))
        name = next(line for line in lines if line.startswith("Package: ")).partition(" ")[2]
        found[name] = lines[at].partition(" ")[2]
        built = place / f"{name}_{found[name].replace(':', '%3a')}.deb"
        command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(scratch), str(built)]
        subprocess.run(command, check=True, capture_output=True)
        shutil.rmtree(scratch)
    _offer_debs(node, place)
    return found


def withdraw(node, *globs: str) -> None:
    """Have the repository of RPMs no longer offer packages of these file names."""
    place = _place(node)
    for glob in globs:
        for path in place.glob(glob):
            path.unlink()
    subprocess.run(["createrepo_c", "--quiet", str(place)], check=True)


def ran(node, log: str = SCRIPTS) -> list[str]:
    """The scripts of packages that ran: "NAME SCRIPT"."""
    return [line.rpartition(" ")[0] for line in node.out(["cat", log]).splitlines()]


def _place(node) -> Path:
    place = node.lab.home / "repositories" / NAME
    place.mkdir(parents=True, exist_ok=True)
    return place


def _build(deb: Deb, scratch: Path, target: Path) -> None:
    control = scratch / "DEBIAN"
    control.mkdir(parents=True, mode=0o755)
    shared = scratch / "usr/share" / deb.name
    shared.mkdir(parents=True)
    (shared / "VERSION").write_text(f"{deb.version}\n")
    lines = [
        f"Package: {deb.name}",
        f"Version: {deb.version}",
        "Architecture: all",
        "Maintainer: the lab <lab@localhost>",
        *([f"Depends: {deb.depends}"] if deb.depends else ()),
        *([f"Conflicts: {deb.conflicts}"] if deb.conflicts else ()),
        f"Description: {deb.name} of a test",
        "",
    ]
    (control / "control").write_text("\n".join(lines))
    told = _POSTINST.format(name=deb.name, version=deb.version, log=DEB_SCRIPTS)
    for script, text in {"postinst": "", **deb.scripts}.items():
        beginning = told if script == "postinst" else "#!/bin/sh\nset -e\n"
        (control / script).write_text(beginning + text)
        (control / script).chmod(0o755)
    for path, (text, mode) in deb.files.items():
        place = scratch / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)
    command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(scratch)]
    subprocess.run([*command, str(target / f"{deb.name}_{deb.version}.deb")], check=True, capture_output=True)
    shutil.rmtree(scratch)
