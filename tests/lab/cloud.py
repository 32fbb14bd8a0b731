"""The lab as one object: a small cloud of real machines, with a master, an image registry and repositories.

For tests, the demo and the command line. What it is made of lives in the other rooms; this one starts and
stops it in order, and reaches into it.
"""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from . import base, debs, images, packages, services, settings
from .ceph import layer as ceph_layer
from .clusters import images as cluster_images
from .clusters import layer as cluster_layer
from .enclosure import Enclosure, LabError, wait_for
from .openstack import configuration, material
from .packaged import configuration as packaged_configuration
from .packaged import databases as packaged_databases
from .packaged import layers as packaged_layers
from .packaged import repository as packaged_repository
from .pillar import Pillar, initial_page, initial_services

#: in the lab's home: how the master's runners reach the OpenStack API of the profile `openstack`
CLOUDS = "clouds.yaml"
#: of machines that are not all made of the same: their layers by role
_ByRole = dict[str, list[Path]]
_Material = tuple[list[packages.Repositories], images.Images, list[Path] | _ByRole]


class Lab:
    """A cloud in a home directory. Any process may call its methods: what runs is read from the kernel.

    Args:
        home: Where its run state is kept.
        profile: One of `settings.PROFILES`; None: the one it was started with, else `small`.
    """

    def __init__(self, home: Path = settings.HOME, profile: str | None = None) -> None:
        self.home = Path(home)
        self._record = self.home / "lab.json"
        self.profile = profile or self._recorded().get("profile", "small")
        if self.profile not in settings.PROFILES:
            raise LabError(f"no profile {self.profile}; there are {', '.join(settings.PROFILES)}")
        self.nodes = {node.name: node for node in settings.PROFILES[self.profile]}
        self.pillar = Pillar(self.home / "pillar")
        self._enclosure = Enclosure(self.home)
        self._made: _Material | None = None

    # -- the whole

    def up(self, timeout: float = 180) -> None:
        """Start everything that does not run, and wait until every minion answers.

        Args:
            timeout: Seconds to wait for the minions.

        Raises:
            LabError: Another profile is up, or some minion did not answer (named in the message).
        """
        if os.geteuid():
            raise LabError("the lab needs root: it mounts, makes network interfaces and boots machines")
        self._material()
        if not self.running:
            self.down()  # what a lab that died left
            self._write()
            self._enclosure.open()
        elif self._recorded()["profile"] != self.profile:
            raise LabError("a lab of another profile is up; end it first: python -m tests.lab down")
        for name in (*services.NAMES, *self.nodes):
            self.start(name)
        self.wait_for_minions(timeout)

    def down(self) -> None:
        """Kill everything at once and remove the run state; only the cache is left."""
        self._enclosure.close()
        if self.home.exists():
            shutil.rmtree(self.home)

    @property
    def running(self) -> bool:
        """Whether the lab is up."""
        return self._enclosure.keeper is not None

    def status(self) -> dict[str, dict[str, str]]:
        """Each service and machine: its role, zone, address and state."""
        facts = {
            name: {"role": "service", "zone": "", "address": settings.HOST_ADDRESS} for name in services.NAMES
        } | {
            node.name: {"role": node.role, "zone": node.zone or "", "address": node.address}
            for node in self.nodes.values()
        }
        return {name: {**entry, "state": self.state(name)} for name, entry in facts.items()}

    # -- its parts

    def start(self, name: str) -> None:
        """Start a machine or a service that is off. Waits until a service serves; not for a machine."""
        self._known(name)
        if self._enclosure.members(name):
            return
        if name in self.nodes:
            self._enclosure.start_machine(name)
            return
        argv, port = services.command(name, self.home)
        self._enclosure.start(name, argv)
        if not wait_for(lambda: self._enclosure.listens(port), 60):
            raise LabError(f"{name} does not listen on port {port}:\n{self._enclosure.log(name)[-2000:]}")

    def kill(self, name: str) -> None:
        """Pull the plug of a machine, or of a service, whatever it does at the moment."""
        self._known(name)
        self._enclosure.kill(name)

    def stop_registry(self) -> None:
        """Make the image registry unreachable."""
        self.kill("registry")

    def start_registry(self) -> None:
        """Make the image registry reachable again."""
        self.start("registry")

    def state(self, name: str) -> str:
        """off, booting, running, or what a machine's systemd says of itself, with the units that failed."""
        self._known(name)
        if not self._enclosure.members(name):
            return "off"
        if name not in self.nodes:
            return "running"
        if self._enclosure.leader(name) is None:
            return "booting"
        state = self.exec(name, ["systemctl", "is-system-running"], check=False, timeout=10).stdout.strip()
        if state != "degraded":
            return state or "booting"
        listing = ["systemctl", "--failed", "--plain", "--no-legend"]
        failed = self.exec(name, listing, check=False, timeout=10).stdout.splitlines()
        return "degraded: " + ", ".join(line.split()[0] for line in failed if line.strip())

    def wait_for_minions(self, timeout: float = 180, names: list[str] | None = None) -> None:
        """Wait until the minions of these nodes (all) answer test.ping.

        Raises:
            LabError: Some did not; the message names them.
        """
        expected = missing = set(names or self.nodes)
        deadline = time.monotonic() + timeout
        keys = services.accepted_keys(self.home)
        while missing and (left := deadline - time.monotonic()) > 0:
            if wait_for(lambda: all((keys / name).exists() for name in expected), left):
                missing = missing - set(self.salt(sorted(missing), "test.ping", timeout=5))
        if missing:
            silent = ", ".join(f"{name} ({self.state(name)})" for name in sorted(missing))
            raise LabError(f"no answer to test.ping within {timeout:.0f} s from {silent}")

    # -- inside a machine

    def exec(
        self, node: str, argv: list[str], *, check: bool = True, timeout: float = 120, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a machine, as a service of its systemd would run it.

        Raises:
            LabError: The machine does not run; or, with `check`, the command failed.
            subprocess.TimeoutExpired: It took too long.
        """
        command = self.exec_command(node, argv, timeout=timeout)
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=timeout + 5, check=False
        )
        return _checked(done, argv, node) if check else done

    def exec_command(
        self, node: str, argv: list[str], *, timeout: float | None = None, terminal: bool = False
    ) -> list[str]:
        """The host's command that runs `argv` in a machine."""
        leader = self._enclosure.leader(node)
        if leader is None:
            raise LabError(f"{node} does not run")
        run = [
            *("systemd-run", "--quiet", "--wait", "--collect", "--pty" if terminal else "--pipe"),
            *("--service-type=exec", "--setenv=HOME=/root", "--setenv=LC_ALL=C.UTF-8"),
            # what the command leaves running in the background stays, as after a login
            *("--working-directory=/root", "--property=KillMode=process"),
            *([f"--property=RuntimeMaxSec={timeout:.0f}"] if timeout else []),
        ]
        return self._enclosure.placed(["nsenter", f"--target={leader}", "--all", "--", *run, "--", *argv])

    def logs(self, node: str, arguments: tuple[str, ...] = ()) -> str:
        """A machine's journal, also when it does not run."""
        journal = self.home / "nodes" / node / "upper/var/log/journal"
        command = ["journalctl", f"--directory={journal}", "--no-pager", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    @property
    def network_namespace(self) -> Path:
        """The kernel's name of the lab's network, in which its API answers.

        Raises:
            LabError: The lab is not up.
        """
        return self._enclosure.network_namespace

    # -- on the master

    def master(
        self, argv: list[str], *, check: bool = True, timeout: float = 1800
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the master: one of Salt's programs (`["salt", "*", "test.ping"]`) or any other.

        Raises:
            LabError: The lab is not up; or, with `check`, the command failed.
            subprocess.TimeoutExpired: It took too long.
        """
        with self.popen_master(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                output, errors = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        done = subprocess.CompletedProcess(argv, process.returncode, output, errors)
        return _checked(done, argv, "the master") if check else done

    def popen_master(self, argv: list[str], **options) -> subprocess.Popen:
        """Start a command on the master; the `pid` of what is returned is the command's own."""
        return subprocess.Popen(self.master_command(argv), **options)

    def master_command(self, argv: list[str]) -> list[str]:
        """The host's command that runs `argv` on the master."""
        if argv[0].startswith("salt"):
            argv = [str(settings.salt_tool(argv[0])), "-c", str(self.home / "salt"), *argv[1:]]
        if (clouds := self.home / CLOUDS).exists():
            argv = ["env", f"OS_CLIENT_CONFIG_FILE={clouds}", *argv]
        return self._enclosure.command(argv)

    def salt(self, target: list[str] | str, function: str, *arguments: str, timeout: int = 60) -> dict:
        """Call a function on nodes (a list, or a glob); what each that answered returned."""
        chosen = ["-L", ",".join(target)] if isinstance(target, list) else [target]
        program = ["salt", "--out=json", "--static", f"--timeout={timeout}"]
        done = self.master([*program, *chosen, function, *arguments], check=False)
        start = done.stdout.find("{")
        answers = json.loads(done.stdout[start:]) if start >= 0 else {}
        return {name: answer for name, answer in answers.items() if answer is not False}

    # -- its releases and its pillar

    @property
    def releases(self) -> dict[str, dict]:
        """The releases in the lab's pillar: version -> {"images", "packages", "defaults", "notes"}."""
        return self.pillar.releases()

    @property
    def images(self) -> dict[str, str]:
        """Images of no release: `broken` (exits at once), `unhealthy`, `hotfix` (of the metadata agent)."""
        return self._material()[1].extra

    def set_pillar(self, **keys: object) -> None:
        """Write the operator's page anew: that of a new lab, with these keys of `openstack:` instead.

        Nothing is kept of what an earlier call set. Without arguments: the page of a new lab. `services`
        adds to those of a new lab, which are what its network stands on.
        """
        if "services" in keys:
            keys["services"] = initial_services(self.profile) | keys["services"]
        self.pillar.write_page(initial_page(self.profile) | keys)

    def add_release(
        self, version: str, *, like: str, packages_like: str | None = None, images: dict | None = None
    ) -> None:
        """Write a release made of others; the same version again replaces it.

        Args:
            version: Its version.
            like: The release whose images it has.
            packages_like: The release whose packages it has, when not the same.
            images: Images that it has instead, by image key.
        """
        pattern, packaged = self.releases[like], self.releases[packages_like or like]
        self.pillar.write_release(version, pattern["images"] | (images or {}), packaged["packages"])

    # -- how

    def _recorded(self) -> dict:
        return json.loads(self._record.read_text()) if self._record.exists() else {}

    def _material(self) -> _Material:
        """What the cache holds, made when it lacks it."""
        if self._made is None and self.profile in settings.PACKAGED:
            self._made = self._packaged_material()
        if self._made is None:
            root = base.ensure()
            pictures, layers = images.ensure(root), [root]
            if self.profile == settings.OPENSTACK:
                pictures = material.ensure(pictures)
            if self.profile == settings.CONTROLLERS:
                layers.insert(0, cluster_layer.ensure(root))
                pictures = cluster_images.ensure(pictures, layers[0])
            if self.profile == settings.CEPH:
                layers.insert(0, ceph_layer.ensure(root))
            flavours = {node.debian for node in self.nodes.values()}
            makers = [maker for maker, debian in ((packages, False), (debs, True)) if debian in flavours]
            self._made = [maker.ensure(root) for maker in makers], pictures, layers
        return self._made

    def _packaged_material(self) -> _Material:
        """That of machines whose services are packages; beside them those whose services are containers.

        Where all services are packages, the releases have no image.
        """
        root = base.ensure(base.PACKAGED)
        layers = packaged_layers.ensure(root)
        repository = packaged_repository.ensure(root, layers)
        by_role = {role: [layer, root] for role, layer in layers.items()}
        by_role["controller"].insert(0, packaged_databases.ensure(root, layers["controller"]))
        if self.profile == settings.BOTH:
            other = base.ensure()
            rpms = packages.ensure(other)
            by_role["compute"] = [*([rpms.layer] if rpms.layer else []), other]
            return [rpms, repository], images.ensure(other), by_role
        none = images.Images(self.home / "images", {version: {} for version in settings.RELEASES}, {}, None)
        return [repository], none, by_role

    def _write(self) -> None:
        repositories, pictures, roots = self._material()
        self.home.mkdir(parents=True)
        by_role = roots if isinstance(roots, dict) else {}
        shared = () if isinstance(roots, dict) else roots
        layers = [str(layer) for layer in (*(one.layer for one in repositories), *shared) if layer]
        record = {
            "profile": self.profile,
            "layers": layers,
            "role_layers": {role: [str(layer) for layer in some] for role, some in by_role.items()},
            "store": pictures.store and str(pictures.store),
        }
        self._record.write_text(json.dumps(record))
        services.write(self.home, pictures.storage, [one.place for one in repositories])
        if self.profile == settings.OPENSTACK:
            configuration.write_clouds(self.home / CLOUDS)
        if self.profile in settings.PACKAGED:
            configuration.write_clouds(self.home / CLOUDS, packaged_configuration.KEYSTONE)
        for version in settings.RELEASES:
            packaged = _by_family([one.releases[version] for one in repositories])
            self.pillar.write_release(version, pictures.releases[version], packaged)
        self.set_pillar()

    def _known(self, name: str) -> None:
        if name not in self.nodes and name not in services.NAMES:
            raise LabError(f"no {name} in the lab; there are {', '.join([*self.nodes, *services.NAMES])}")


def _by_family(packaged: list[dict[str, str]]) -> dict:
    """The packages of a release; where there are two flavours of nodes, RPM's first, by os_family."""
    if len(packaged) == 1:
        return packaged[0]
    found: dict[str, dict[str, str]] = {}
    for family, named in zip(("RedHat", "Debian"), packaged, strict=True):
        for name, number in named.items():
            found.setdefault(name, {})[family] = number
    return found


def _checked(
    done: subprocess.CompletedProcess[str], argv: list[str], place: str
) -> subprocess.CompletedProcess[str]:
    if done.returncode:
        shown = " ".join(argv)
        raise LabError(f"{shown} on {place} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done
