"""Build the RPM repositories of the lab's releases, and the layer over the base image with 1.0.0 installed.

The packages are small, their scriptlets are real: what openvswitch's do to its service is what an update
has to survive. Each scriptlet tells /var/log/rpm-scriptlets.log that it ran ("NAME SCRIPT COUNT"), so that
tests know.
"""

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from . import cache, chroot, settings, switch_files

_DIST = "el9"
_LOG = "/var/log/rpm-scriptlets.log"
_UNIT = settings.HERE / "files" / "packages" / "openvswitch.service"
_POST = {"post": ""}
_POST_AND_POSTUN = {"post": "", "postun": ""}

#: Open vSwitch's streams in the lab's releases, in order.
STREAMS = ("3.4", "3.5")
#: Ordinary packages: their versions in the lab's releases, in order.
_ORDINARY = {
    "bash": ("5.1.8-9", "5.1.8-11"),
    "centos-stream-release": ("9.0-26", "9.0-30"),
    "chrony": ("4.6.1-1", "4.6.1-2"),
    "curl-minimal": ("7.76.1-29", "7.76.1-34"),
    "glibc": ("2.34-168", "2.34-231"),
    "iproute": ("6.11.0-1", "6.14.0-2"),
    "lvm2": ("2.03.28-6", "2.03.32-2"),
    "NetworkManager": ("1.51.6-1", "1.54.0-1"),
    "openssl-libs": ("3.2.2-6", "3.5.1-3"),
    "python3-requests": ("2.25.1-9", "2.25.1-10"),
    "rsyslog": ("8.2412.0-1", "8.2506.0-2"),
    "sudo": ("1.9.5p2-10", "1.9.5p2-13"),
    "tuned": ("2.25.1-1", "2.25.1-1"),
    "tzdata": ("2025a-1", "2025b-1"),
}
_PROVIDES = {
    "bash": ("/bin/sh",),
    "centos-stream-release": ("system-release = 9", "system-release(releasever) = 9"),
}


@dataclass(frozen=True)
class Package:
    """One RPM of a release."""

    name: str
    version: str
    release: str
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    obsoletes: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    scriptlets: dict[str, str] = field(default_factory=dict)
    #: files it installs beside its own version file: {path inside: file here}
    files: dict[str, Path] = field(default_factory=dict)
    #: those of its files that are configuration, which an operator's edit survives
    configuration: tuple[str, ...] = ()
    #: several versions of it stay installed side by side
    installonly: bool = False

    @property
    def evr(self) -> str:
        """Version and release, as a release file of the pillar names them."""
        return f"{self.version}-{self.release}"


@dataclass(frozen=True)
class Repositories:
    """The repositories (one directory a release), what is in each, and the layer with the first installed."""

    place: Path
    layer: Path | None
    releases: dict[str, dict[str, str]]


def ensure(root: Path) -> Repositories:
    """Build the repositories and the installed layer when the cache lacks them.

    Args:
        root: The base image.
    """
    code = [settings.HERE / name for name in ("packages.py", "switch_files.py")]
    key = cache.digest_of(*code, _UNIT, root.parent.name, settings.RELEASES)
    place = cache.ensure("packages", key, lambda work: _build(work, root))
    index = json.loads((place / "index.json").read_text())
    return Repositories(place / "repositories", place / "layer", index)


def contents(position: int, switch: dict[str, Path] | None = None) -> list[Package]:
    """The packages of the lab's first (0) or second (1) release; switch: its files, by path on a node."""
    ordinary = [
        Package(name, *versions[position].split("-"), provides=_PROVIDES.get(name, ()), scriptlets=_POST)
        for name, versions in _ORDINARY.items()
    ]
    selinux = ("0.8.40", "0.8.41")[position]
    return [
        *ordinary,
        Package("openstack-selinux", selinux, "1", scriptlets=_POST_AND_POSTUN),
        *_kernel(("1", "2")[position]),
        *_switch(STREAMS[position], position, switch or {}),
    ]


def _kernel(release: str) -> list[Package]:
    core = f"kernel-core = 5.14.0-{release}.{_DIST}"
    provides = ("installonlypkg(kernel)",)
    return [
        Package("kernel-core", "5.14.0", release, provides=provides, scriptlets=_POST, installonly=True),
        Package("kernel", "5.14.0", release, requires=(core,), provides=provides, installonly=True),
    ]


def _switch(stream: str, position: int, files: dict[str, Path]) -> list[Package]:
    """Open vSwitch: the wrapper selects the stream, and a new stream is a package that obsoletes the old."""
    enable = 'if [ "$1" -eq 1 ]; then systemctl --no-reload preset openvswitch.service || :; fi'
    disable = 'if [ "$1" -eq 0 ]; then systemctl --no-reload disable --now openvswitch.service || :; fi'
    restart = 'if [ "$1" -ge 1 ]; then systemctl try-restart openvswitch.service || :; fi'
    return [
        Package(
            "rhosp-openvswitch", stream, "1", requires=(f"openvswitch{stream}",), provides=("openvswitch",)
        ),
        Package(
            f"openvswitch{stream}",
            f"{stream}.0",
            "12",
            requires=("openvswitch-selinux-extra-policy",),
            obsoletes=("openvswitch3.4",) if position else (),
            scriptlets={"post": enable, "preun": disable, "postun": restart},
            files={"/usr/lib/systemd/system/openvswitch.service": _UNIT, **files},
        ),
        Package(
            "openvswitch-selinux-extra-policy", "1.0", ("36", "38")[position], scriptlets=_POST_AND_POSTUN
        ),
    ]


def _build(work: Path, root: Path) -> None:
    index = {}
    for position, version in enumerate(settings.RELEASES):
        stream = STREAMS[position]
        files = switch_files.make(root, f"{stream}.0", work / "rpmbuild" / stream, older_schema=position == 0)
        packages = contents(position, files)
        directory = work / "repositories" / f"release-{version}"
        directory.mkdir(parents=True)
        with ThreadPoolExecutor(max_workers=4) as pool:
            scratch = work / "rpmbuild" / version
            list(pool.map(lambda p, d=directory, s=scratch: build(p, d, s), packages))
        subprocess.run(["createrepo_c", "--quiet", str(directory)], check=True)
        index[version] = {package.name: f"{package.evr}.{_DIST}" for package in packages}
    shutil.rmtree(work / "rpmbuild")
    first = settings.RELEASES[0]
    source = [f"--repofrompath={first},/mnt", f"--repo={first}", "--nogpgcheck"]
    chroot.run(
        work / "layer",
        ["dnf", "--assumeyes", "--quiet", "--releasever=9", *source, "install", *index[first]],
        log=cache.log("packages"),
        lower=root,
        binds={work / "repositories" / f"release-{first}": "/mnt"},
    )
    shutil.rmtree(work / "layer/var/cache/dnf", ignore_errors=True)
    for scratch in ("merged", "work"):
        shutil.rmtree(work / scratch)
    (work / "index.json").write_text(json.dumps(index, indent=1))


def build(package: Package, target: Path, scratch: Path) -> None:
    """Build one RPM into a repository's directory."""
    top = scratch / f"{package.name}-{package.version}-{package.release}"
    top.mkdir(parents=True)
    spec = top / "package.spec"
    spec.write_text(_spec(package))
    macros = {
        "_topdir": str(top),
        "_rpmdir": str(target),
        "_rpmfilename": "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm",
        # programs go in as they are, in packages without an architecture: rpm and the nodes' Debian name it
        # differently, which Salt takes for a foreign one
        "_binaries_in_noarch_packages_terminate_build": "0",
        "__os_install_post": "%{nil}",
        "debug_package": "%{nil}",
        "_build_id_links": "none",
        "_binary_payload": "w1.gzdio",
    }
    defines = [f"--define={name} {value}" for name, value in macros.items()]
    done = subprocess.run(
        ["rpmbuild", "-bb", "--quiet", *defines, str(spec)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"rpmbuild of {package.name} failed:\n{done.stdout}{done.stderr}")


def _spec(package: Package) -> str:
    home = f"/usr/share/{package.name}" + (f"/{package.evr}" if package.installonly else "")
    lines = [
        f"Name: {package.name}",
        f"Version: {package.version}",
        f"Release: {package.release}.{_DIST}",
        f"Summary: {package.name} of the lab",
        "License: Apache-2.0",
        "BuildArch: noarch",
        "AutoReqProv: no",
        *(f"Requires: {name}" for name in package.requires),
        *(f"Provides: {name}" for name in package.provides),
        *(f"Obsoletes: {name}" for name in package.obsoletes),
        *(f"Conflicts: {name}" for name in package.conflicts),
        "%description",
        "A small stand-in with the real package's scriptlets.",
        "%install",
        f"mkdir -p %{{buildroot}}{home}",
        f"echo {package.evr} > %{{buildroot}}{home}/VERSION",
        *(
            f"install -D -m {source.stat().st_mode & 0o777:o} {source} %{{buildroot}}{path}"
            for path, source in package.files.items()
        ),
        "%files",
        f"{home}/VERSION",
        *(f"%config(noreplace) {p}" if p in package.configuration else p for p in package.files),
    ]
    for name, body in package.scriptlets.items():
        lines += [f"%{name}", f'echo "{package.name} {name} $1" >> {_LOG}', body]
    return "\n".join(lines) + "\n"
