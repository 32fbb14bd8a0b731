"""Packages that no release names, of two generations, for both flavours of nodes: a vendor's daily patches.

The packages are small stand-ins that say so in their summary; names, versions and scripts are what package
managers, and the system stage, go by. The repositories are signed with a key made for them: a node gets the
first generation from `Patches.install_first`, and the second is there when `Patches.publish` put it there.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import base, cache, packages, settings
from .cloud import Lab

#: the folder of the repositories that holds them; rpm/ and deb/ below
FOLDER = "patches"
GENERATIONS = ("1", "2")
KERNEL_RPM = "5.14.0-3.el9"
#: the live patch of the kernel that a new machine of the lab says it runs
LIVE_PATCH = "kpatch-patch-5_14_0-1"
KERNELS_DEB = ("6.12.48+deb13-amd64", "6.12.57+deb13-amd64")
#: salt-minion's versions: its package brings Salt's own file of its version, and nothing else
MINION = ("3008.3", "3008.4")
#: packages with nothing special, first and second version
PLAIN = ("1.0-1", "1.1-1")
CONFIGURATION = "/etc/lab-config.conf"
LIBRARY = "/usr/lib/lab-library/liblab.so"
_RESTART_RPM = 'if [ "$1" -ge 1 ]; then systemctl try-restart salt-minion.service || :; fi'
_RESTART_DEB = 'if [ "$1" = configure ] && [ -n "$2" ]; then systemctl try-restart salt-minion.service; fi'
_SERVICE = f"""[Unit]
Description=A service that uses a library of the lab
[Service]
ExecStart=/opt/salt/bin/python -c "import ctypes, signal; ctypes.CDLL('{LIBRARY}'); signal.pause()"
[Install]
WantedBy=multi-user.target
"""
_KEY = "openstack-rollout-lab"
_REPO_FILE = f"""[{FOLDER}]
name=Packages that no release names
baseurl=http://{settings.HOST_ADDRESS}:{settings.REPOSITORY_PORT}/{FOLDER}/rpm
gpgcheck=1
gpgkey=http://{settings.HOST_ADDRESS}:{settings.REPOSITORY_PORT}/{FOLDER}/key.asc
metadata_expire=1
"""
_SOURCE = (
    f"deb [signed-by=/etc/apt/keyrings/lab.asc]"
    f" http://{settings.HOST_ADDRESS}:{settings.REPOSITORY_PORT}/{FOLDER}/deb ./\n"
)


@dataclass(frozen=True)
class Patch:
    """A package in both of its generations; None where a generation does not have it.

    needs: what the second generation requires. provides: of RPM. files: by path on a node, per generation.
    rpm, deb: whether
    that flavour has it. post: what its script does on RPM nodes (postun) and on Debian (postinst).
    """

    name: str
    versions: tuple[str | None, str | None] = PLAIN
    needs: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    files: dict[str, tuple[str, str]] = field(default_factory=dict)
    configuration: tuple[str, ...] = ()
    rpm: bool = True
    deb: bool = True
    post: tuple[str, str] = ("", "")
    installonly: bool = False


def patches(salt: str) -> list[Patch]:
    """All of them. salt: where the nodes' Salt is, e.g. opt/salt/lib/python3.13/site-packages/salt."""
    images = [
        Patch(f"linux-image-{release}", _only(position, f"{release.partition('+')[0]}-1"), rpm=False)
        for position, release in enumerate(KERNELS_DEB)
    ]
    kernels = [
        Patch("kernel-core", (None, KERNEL_RPM.removesuffix(".el9")), deb=False, installonly=True),
        Patch("kernel", (None, KERNEL_RPM.removesuffix(".el9")), deb=False, installonly=True),
        *images,
        Patch("linux-image-amd64", ("6.12.48-1", "6.12.57-1"), (f"linux-image-{KERNELS_DEB[1]}",), rpm=False),
    ]
    return [
        Patch("lab-plain"),
        Patch("lab-held"),
        Patch("qemu-lab"),
        Patch("lab-excluded"),
        Patch("lab-grows", needs=("lab-new",)),
        Patch("lab-new", (None, "1.0-1")),
        Patch("lab-config", files={CONFIGURATION: ("shipped = 1\n", "shipped = 2\n")},
              configuration=(CONFIGURATION,)),
        Patch("lab-library", files={"/usr/lib/systemd/system/telegraf.service": (_SERVICE, _SERVICE)}),
        Patch("kpatch", (None, "0.9.7-2"), deb=False),
        Patch(LIVE_PATCH, (None, "1-1"), provides=("kpatch-patch = 5.14.0-1.el9.x86_64",), deb=False),
        Patch("salt-minion", (f"{MINION[0]}-1", f"{MINION[1]}-1"), post=(_RESTART_RPM, _RESTART_DEB),
              files={f"/{salt}/_version.txt": MINION}),
        *kernels,
    ]  # fmt: skip


class Patches:
    """The repositories of a lab that runs."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.made = _ensure(base.ensure())
        self.place = lab.home / "repositories" / FOLDER

    def publish(self, generation: str, leave_out: Iterable[str] = ()) -> None:
        """Have the repositories offer what is in a generation, and all before it.

        leave_out: names of packages that they do not have.
        """
        scratch = self.place.with_suffix(".new")
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(self.made / generation, scratch)
        for name in leave_out:
            for path in (*scratch.glob(f"rpm/{name}-[0-9]*"), *scratch.glob(f"deb/{name}_*")):
                path.unlink()
        index(scratch, self.made / "gnupg")
        shutil.rmtree(self.place, ignore_errors=True)
        scratch.rename(self.place)

    def install_first(self, node: str, names: Iterable[str]) -> None:
        """Have a node know the repositories, and install packages as they are in them now."""
        if self.lab.nodes[node].debian:
            key = (self.made / "key.asc").read_text()
            self.lab.exec(node, ["mkdir", "-p", "/etc/apt/keyrings"])
            self.lab.exec(node, ["tee", "/etc/apt/keyrings/lab.asc"], stdin=key)
            self.lab.exec(node, ["tee", "/etc/apt/sources.list.d/patches.list"], stdin=_SOURCE)
            self.lab.exec(node, ["apt-get", "--quiet", "update"])
            self.lab.exec(node, ["apt-get", "--quiet", "--yes", "install", *names], timeout=300)
        else:
            self.lab.exec(node, ["tee", "/etc/yum.repos.d/patches.repo"], stdin=_REPO_FILE)
            self.lab.exec(node, ["dnf", "--assumeyes", "--quiet", "install", *names], timeout=300)

    def resign(self, name: str = "") -> None:
        """Have an RPM package signed with a key that no node trusts; without a name, apt's whole
        repository.
        """
        for path in self.place.glob(f"rpm/{name}-[0-9]*") if name else ():
            _sign_rpm(path, self.made / "foreign")
        index(self.place, self.made / "gnupg", foreign=None if name else self.made / "foreign")


def index(place: Path, keys: Path, foreign: Path | None = None) -> None:
    """Make what package managers read of the packages in rpm/ and deb/. foreign: another key for apt's."""
    subprocess.run(["createrepo_c", "--quiet", str(place / "rpm")], check=True)
    entries = []
    for path in sorted((place / "deb").glob("*.deb")):
        fields = subprocess.run(
            ["dpkg-deb", "--field", str(path)], capture_output=True, text=True, check=True
        ).stdout
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        entries.append(f"{fields}Filename: {path.name}\nSize: {len(content)}\nSHA256: {digest}\n")
    listing = "\n".join(entries).encode()
    (place / "deb/Packages").write_bytes(listing)
    (place / "deb/Packages.gz").write_bytes(gzip.compress(listing))
    lines = [
        f" {hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_size} {path.name}"
        for path in sorted((place / "deb").glob("Packages*"))
    ]
    dated = "Suite: lab\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n"
    home = foreign or keys
    with _agent(home):
        signed = subprocess.run(
            [*_gpg(home), "--clearsign"],
            input=dated + "\n".join(lines) + "\n",
            capture_output=True,
            text=True,
            check=True,
        )
    (place / "deb/InRelease").write_text(signed.stdout)


def _ensure(root: Path) -> Path:
    code = [settings.HERE / name for name in ("patches.py", "packages.py")]
    key = cache.digest_of(*code, root.parent.name)
    return cache.ensure("patches", key, lambda work: _build(work, root))


def _build(work: Path, root: Path) -> None:
    salt = next((root / "opt/salt/lib").glob("python3*/site-packages/salt")).relative_to(root)
    library = next((root / "usr/lib").glob("*/libresolv.so.2"))
    for folder in ("gnupg", "foreign"):
        _make_key(work / folder)
    public = subprocess.run(
        [*_gpg(work / "gnupg"), "--armor", "--export", _KEY], capture_output=True, text=True, check=True
    )
    (work / "key.asc").write_text(public.stdout)
    for position, generation in enumerate(GENERATIONS):
        place = work / generation
        if position:
            shutil.copytree(work / GENERATIONS[position - 1], place)
        for kind in ("rpm", "deb"):
            (place / kind).mkdir(parents=True, exist_ok=True)
        (place / "key.asc").write_text(public.stdout)
        for patch in patches(str(salt)):
            if patch.versions[position] is not None:
                _make(patch, position, place, work / "scratch" / generation, library)
        for path in (place / "rpm").glob("*.rpm"):
            _sign_rpm(path, work / "gnupg")
    shutil.rmtree(work / "scratch")


def _make(patch: Patch, position: int, place: Path, scratch: Path, library: Path) -> None:
    """Build one generation of a package, for the flavours that have it."""
    files = {}
    for path, contents in patch.files.items():
        source = scratch / patch.name / path.lstrip("/")
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(contents[position])
        files[path] = source
    if patch.name == "lab-library":
        files[LIBRARY] = library
    version, _, release = str(patch.versions[position]).partition("-")
    needs = patch.needs if position else ()
    if patch.rpm:
        scriptlets = {"postun": patch.post[0]} if patch.post[0] else {}
        provides = ("installonlypkg(kernel)",) if patch.installonly else patch.provides
        package = packages.Package(
            patch.name, version, release, requires=needs, provides=provides, scriptlets=scriptlets,
            files=files, configuration=patch.configuration, installonly=patch.installonly,
        )  # fmt: skip
        packages.build(package, place / "rpm", scratch / "rpmbuild")
    if patch.deb:
        _deb(patch, f"{version}-{release}", needs, files, place / "deb", scratch / "debs")


def _deb(
    patch: Patch, version: str, needs: Iterable[str], files: dict[str, Path], target: Path, scratch: Path
) -> None:
    tree = scratch / patch.name
    control = tree / "DEBIAN"
    control.mkdir(parents=True, mode=0o755)
    for path, source in {**files, f"/usr/share/{patch.name}/VERSION": None}.items():
        place = tree / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if source:
            shutil.copyfile(source, place)
        else:
            place.write_text(f"{version}\n")
    depends = f"Depends: {', '.join(needs)}\n" if needs else ""
    (control / "control").write_text(
        f"Package: {patch.name}\nVersion: {version}\nArchitecture: all\nMaintainer: the lab <lab@localhost>\n"
        f"{depends}Description: {patch.name} of the lab, a small stand-in\n"
    )
    if patch.configuration:
        (control / "conffiles").write_text("".join(f"{path}\n" for path in patch.configuration))
    if patch.post[1]:
        (control / "postinst").write_text(f"#!/bin/sh\nset -e\n{patch.post[1]}\n")
        (control / "postinst").chmod(0o755)
    command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(tree)]
    subprocess.run([*command, str(target / f"{patch.name}_{version}.deb")], check=True, capture_output=True)


def _only(position: int, version: str) -> tuple[str | None, str | None]:
    return (version, None) if position == 0 else (None, version)


def _make_key(home: Path) -> None:
    home.mkdir(mode=0o700)
    making = ["--passphrase", "", "--quick-generate-key", _KEY, "rsa2048", "sign", "never"]
    with _agent(home):
        subprocess.run([*_gpg(home), *making], check=True, capture_output=True)


@contextlib.contextmanager
def _agent(home: Path) -> Iterator[None]:
    """The agent that gpg starts for a home ends with what it was started for."""
    try:
        yield
    finally:
        subprocess.run(["gpgconf", f"--homedir={home}", "--kill", "all"], check=False, capture_output=True)


def _gpg(home: Path) -> list[str]:
    return ["gpg", f"--homedir={home}", "--batch", "--yes", "--quiet"]


def _sign_rpm(path: Path, home: Path) -> None:
    macros = {"_gpg_name": _KEY, "_gpg_path": str(home), "__gpg": str(shutil.which("gpg"))}
    defines = [f"--define={name} {value}" for name, value in macros.items()]
    with _agent(home):
        subprocess.run(["rpmsign", *defines, "--resign", str(path)], check=True, capture_output=True)
