"""Build the image every machine of the lab starts from: Debian, podman, docker, dnf, OVS, OVN and Salt."""

import platform
import shutil
import subprocess
from pathlib import Path

from . import cache, chroot, settings

SUITE = "trixie"
_MIRROR = "http://deb.debian.org/debian"
PACKAGED = "packaged"
_BOOTSTRAP = ("systemd", "systemd-sysv", "dbus", "iproute2", "ca-certificates")
#: What a suite needs beyond the core: a profile is a list of packages, and part of the image's key.
PACKAGES = {
    "core": (
        *("podman", "crun", "netavark", "aardvark-dns", "nftables"),
        # docker and its SDK, for containers of earlier installers: nobody starts it but who asks for it
        *("docker.io", "docker-cli", "python3-docker"),
        *("dnf", "dnf-plugins-core", "rpm"),
        *("openvswitch-switch", "ovn-host", "ovn-central"),
        *("python3-venv", "procps", "iputils-ping"),
        # what the modules of other deployers' Ansible import, as their own preparation of a node installs it
        *("python3-podman", "python3-dbus", "python3-yaml"),
    ),
    # of machines whose services are packages: what they run is a layer for each role
    PACKAGED: (
        *("python3-venv", "procps", "iputils-ping", "nftables", "sudo", "python3-apt", "python3-pymysql"),
        *("needrestart", "debconf-utils", "logrotate", "cron"),
    ),
}
#: the Debian of a profile that is not `SUITE`
_SUITES = {PACKAGED: "bookworm"}
#: Installed services that no machine of the lab runs by itself; a role enables what it needs.
_DISABLED = (
    *("ovn-host.service", "ovn-controller.service", "ovn-central.service"),
    *("openvswitch-switch.service", "ovs-record-hostname.service", "nftables.service", "uuidd.socket"),
    *("podman.socket", "podman.service", "podman-restart.service"),
    *("podman-auto-update.timer", "podman-auto-update.service"),
    *("netavark-dhcp-proxy.service", "netavark-dhcp-proxy.socket", "netavark-firewalld-reload.service"),
    *("docker.service", "docker.socket", "containerd.service"),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dnf-makecache.timer", "dpkg-db-backup.timer"),
    *("e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer", "systemd-pstore.service"),
    *("console-getty.service", "getty@tty1.service"),
)
_PIP = ("/opt/salt/bin/pip", "install", "--quiet", "--no-cache-dir")
#: Salt's dependency that needs a compiler on new Pythons, and that only a Jinja filter for dates uses.
_NOT_NEEDED = "timelib"
#: What salt-minion speaks to docker with, as `salt-pip install docker` gives it.
_DOCKER_SDK = "docker>=7,<8"


def ensure(profile: str = "core") -> Path:
    """The base image's root directory, built when the cache lacks it.

    Args:
        profile: A key of `PACKAGES`.

    Raises:
        RuntimeError: A step of the build failed; the message has the end of its output.
    """
    return cache.ensure("base", _key(profile), lambda work: _build(work / "root", profile)) / "root"


def salt_requirement() -> str:
    """The Salt of the nodes: the master's version, for a minion newer than its master is not supported."""
    program = settings.salt_tool("salt-call")
    if not program.exists():
        return "salt>=3008.3,<3009"
    return f"salt=={_output(str(program), '--version').split()[1]}"


def mirror() -> str:
    """The host's own Debian mirror, when the host is a Debian that has one; else Debian's."""
    lines = [
        line.split()
        for path in (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("debian*")))
        if path.is_file()
        for line in path.read_text().splitlines()
    ]
    found = [
        word.rstrip("/")
        for words in lines
        if words and words[0] in ("deb", "URIs:")
        for word in words[1:]
        if word.startswith(("http://", "https://")) and word.rstrip("/").endswith("/debian")
    ]
    return found[0] if found else _MIRROR


def configure_packaging(root: Path) -> None:
    """Have a root's apt reach what the host's does, install without documents and start no service.

    Args:
        root: The directory of a bootstrapped Debian, or of a layer over one; `clean` takes the host's part
            out again.
    """
    for name in ("usr/sbin", "etc/dpkg/dpkg.cfg.d", "etc/apt/apt.conf.d"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    excluded = "".join(f"path-exclude=/usr/share/{name}/*\n" for name in ("doc", "man", "locale", "info"))
    (root / "etc/dpkg/dpkg.cfg.d/01-lab").write_text(f"{excluded}force-unsafe-io\n")
    dump = _output("apt-config", "dump", "Acquire")
    wanted = ("Acquire::http", "Acquire::https", "Acquire::Check-", "Acquire::Retries", "Acquire::Force")
    reach = [line for line in dump.splitlines() if line.startswith(wanted)]
    (root / "etc/apt/apt.conf.d/99lab").write_text(
        "\n".join([*reach, 'APT::Install-Recommends "false";', 'Acquire::Languages "none";', ""])
    )


def clean(root: Path) -> None:
    """Take out of a root what was only for its making, and what every machine has of its own."""
    for name in ("usr/sbin/policy-rc.d", "etc/apt/apt.conf.d/99lab", "etc/machine-id", "etc/hostname"):
        (root / name).unlink(missing_ok=True)
    (root / "etc/pip.conf").unlink(missing_ok=True)
    shutil.rmtree(root / "root/.config", ignore_errors=True)
    shutil.rmtree(root / "var/lib/apt/lists", ignore_errors=True)


def _key(profile: str) -> str:
    code = [settings.HERE / name for name in ("base.py", "chroot.py")]
    suite = _SUITES.get(profile, SUITE)
    return cache.digest_of(*code, PACKAGES[profile], salt_requirement(), suite, platform.machine())


def _build(root: Path, profile: str) -> None:
    log = cache.log("base")
    suite = _SUITES.get(profile, SUITE)
    with log.open("w") as output:
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={','.join(_BOOTSTRAP)}", suite, root, mirror()],
            check=True,
            stdout=output,
            stderr=output,
        )
    configure_packaging(root)
    for argv in (
        ["apt-get", "-qq", "update"],
        ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", "install", "-y", *PACKAGES[profile]],
        ["apt-get", "clean"],
        ["python3", "-m", "venv", "/opt/salt"],
        [*_PIP, "--upgrade", "pip"],  # bookworm's does not read what today's packages require
        [*_PIP, "--no-deps", salt_requirement()],
    ):
        chroot.run(root, argv, log=log)
    chroot.run(root, [*_PIP, *_salt_dependencies(root), _DOCKER_SDK], log=log)
    for program in ("salt-minion", "salt-call"):
        (root / "usr/local/bin" / program).symlink_to(f"/opt/salt/bin/{program}")
    # Salt compares RPM versions with rpm's own binding, which is the distribution's package.
    site = next((root / "opt/salt/lib").glob("python3*/site-packages"))
    (site / "rpm").symlink_to("/usr/lib/python3/dist-packages/rpm")
    _adapt_services(root)
    clean(root)


def _salt_dependencies(root: Path) -> list[str]:
    """What the installed Salt requires on the root's own Python, as pip's requirements."""
    program = (
        "import importlib.metadata as m; from pip._vendor.packaging.requirements import Requirement as R; "
        "lines = m.requires('salt'); markers = [R(line).marker for line in lines]; "
        "print(*(line for line, k in zip(lines, markers) if not k or k.evaluate()), sep='\\n')"
    )
    listing = _output("chroot", str(root), "/opt/salt/bin/python", "-c", program)
    return [line for line in listing.splitlines() if not line.startswith(_NOT_NEEDED)]


def _output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def _adapt_services(root: Path) -> None:
    systemctl = ["systemctl", f"--root={root}", "--quiet"]
    for name in _DISABLED:  # some of them are not installed
        subprocess.run([*systemctl, "disable", name], check=False, capture_output=True)
    if not (root / "usr/lib/systemd/system/openvswitch-switch.service").exists():
        return
    # In the RHEL flavour the switch's wrapper unit is openvswitch.service, and comes from the RPM: the
    # daemons' units must be part of that one, so that stopping it stops the switch. A drop-in cannot take a
    # dependency away, hence whole units.
    for name in ("ovsdb-server.service", "ovs-vswitchd.service"):
        unit = (root / "usr/lib/systemd/system" / name).read_text()
        adapted = unit.replace("openvswitch-switch.service", "openvswitch.service")
        (root / "etc/systemd/system" / name).write_text(adapted)
    subprocess.run([*systemctl, "mask", "openvswitch-switch.service"], check=True)
