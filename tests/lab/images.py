"""Make the container images of the lab's releases, as the storage of a registry.

One image for each image key of an OpenStack release. All but OVN's are small and honest: busybox serves a
health page that tells the service and its version, and PID 1 obeys SIGTERM. OVN's controller, databases and
northd are the real ones, with the base image's binaries. The registry's storage is written directly (it is
content-addressed), which takes a second where pushing takes minutes.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import cache, settings
from .registry_storage import Layer, Storage

_GROUPS = {
    "": "agent ansibleee apache glance_api horizon keystone_api ksm mariadb net_utils neutron_api "
    "openstack_client openstack_network_exporter bootc_os_container placement_api rabbitmq "
    "telemetry_node_exporter",
    "aodh": "api evaluator listener notifier",
    "barbican": "api keystone_listener worker",
    "ceilometer": "central compute ipmi notification sgcore mysqld_exporter",
    "cinder": "api backup scheduler",
    "cloudkitty": "api proc",
    "designate": "api backendbind9 central mdns producer unbound worker",
    "edpm": "frr iscsid kepler logrotate_crond multipathd neutron_dhcp_agent neutron_metadata_agent "
    "neutron_ovn_agent neutron_sriov_agent node_exporter openstack_network_exporter ovn_bgp_agent "
    "podman_exporter",
    "heat": "api cfnapi engine",
    "infra": "dnsmasq memcached redis",
    "ironic": "api conductor inspector neutron_agent pxe python_agent",
    "manila": "api scheduler",
    "nova": "api compute conductor novnc scheduler",
    "octavia": "api healthmanager housekeeping worker rsyslog",
    "ovn": "controller controller_ovs nb_dbcluster northd sb_dbcluster",
    "swift": "account container object proxy",
    "watcher": "api applier decision_engine",
}
#: Image keys of a release with one image each.
KEYS = tuple(
    f"{group}_{name}_image".lstrip("_") for group, names in _GROUPS.items() for name in names.split()
)
#: Image keys that are maps of back ends.
MAPS = {"cinder_volume_images": ("default",), "manila_share_images": ("default",)}
#: Images with the real OVN: image key -> the script that is PID 1.
OVN_KEYS = {
    "ovn_controller_image": "ovn",
    "ovn_nb_dbcluster_image": "ovn-database",
    "ovn_sb_dbcluster_image": "ovn-database",
    "ovn_northd_image": "ovn-northd",
}
HOTFIX_KEY = "edpm_neutron_metadata_agent_image"

FILES = settings.HERE / "files" / "images"
_PROGRAMS = "/usr/local/bin"
_FIRST_PORT = 20000
#: whom a definition may name beside root; the numbers are those of real images
_USERS = {"ceilometer": 42405, "nova": 42436, "memcached": 42457}
#: Programs and data of OVN's images, from the base image.
_OVN_PROGRAMS = (
    *("/usr/bin/ovn-controller", "/usr/bin/ovn-appctl", "/usr/bin/ovn-northd"),
    *("/usr/bin/ovn-nbctl", "/usr/bin/ovn-sbctl"),
    *("/usr/bin/ovs-vsctl", "/usr/bin/ovs-ofctl", "/usr/bin/ovs-appctl"),
    *("/usr/sbin/ovsdb-server", "/usr/bin/ovsdb-tool", "/usr/bin/ovsdb-client"),
)
_OVN_DATA = ("/usr/share/ovn/ovn-nb.ovsschema", "/usr/share/ovn/ovn-sb.ovsschema")


@dataclass(frozen=True)
class Images:
    """Where the registry's storage is, and what it holds: references by digest."""

    storage: Path
    releases: dict[str, dict[str, object]]
    extra: dict[str, str]
    #: a read-only image store that the machines have beside their own
    store: Path | None = None


def ensure(root: Path) -> Images:
    """Make the images of all releases when the cache lacks them.

    Args:
        root: The base image, whose OVN the images of OVN get.
    """
    code = [settings.HERE / name for name in ("images.py", "registry_storage.py")]
    key = cache.digest_of(*code, FILES, root.parent.name, settings.REGISTRY, settings.RELEASES)
    place = cache.ensure("images", key, lambda work: _build(work, root))
    index = json.loads((place / "index.json").read_text())
    return Images(place / "storage", index["releases"], index["extra"])


def repository(key: str) -> str:
    """The repository of an image key, e.g. nova_compute_image -> openstack/nova-compute."""
    return "openstack/" + key.removesuffix("s").removesuffix("_image").replace("_", "-")


def _build(work: Path, root: Path) -> None:
    storage = Storage(work / "storage")
    busybox = storage.blob(_busybox_layer())
    ovn = storage.blob(_ovn_layer(root))
    releases = {}
    for version in settings.RELEASES:
        plain = [busybox, storage.blob(_scripts_layer(version))]
        images: dict[str, object] = {
            key: storage.image(repository(key), version, plain, _settings(key, version)) for key in KEYS
        }
        layers = [busybox, ovn, plain[-1]]
        for key, program in OVN_KEYS.items():
            configuration = _settings(key, version, program=program)
            images[key] = storage.image(repository(key), version, layers, configuration)
        for key, backends in MAPS.items():
            images[key] = {
                backend: storage.image(
                    f"{repository(key)}-{backend}", version, plain, _settings(key, version)
                )
                for backend in backends
            }
        releases[version] = images
    extra = {  # of the last release
        name: storage.image(place, tag, plain, configuration)
        for name, place, tag, configuration in (
            ("broken", "openstack/broken", "latest", _settings("broken", version, program="crash")),
            ("unhealthy", "openstack/unhealthy", "latest", _settings("unhealthy", version, health="bad")),
            ("hotfix", repository(HOTFIX_KEY), "hotfix", _settings(HOTFIX_KEY, f"{version}-hotfix")),
        )
    }
    (work / "index.json").write_text(json.dumps({"releases": releases, "extra": extra}, indent=1))


def _settings(key: str, version: str, program: str = "serve", health: str = "good") -> dict:
    """The image's run configuration."""
    names = [*KEYS, *MAPS, "broken", "unhealthy"]
    variables = {
        "PATH": "/usr/sbin:/usr/bin",
        "SERVICE": key.removesuffix("_image"),
        "VERSION": version,
        "PORT": _FIRST_PORT + names.index(key),
        "HEALTH": health,
    }
    return {
        "Env": [f"{name}={value}" for name, value in variables.items()],
        "Entrypoint": [f"{_PROGRAMS}/{program}"],
        "Labels": {"org.opencontainers.image.version": version, "org.opencontainers.image.title": key},
    }


def _busybox_layer() -> bytes:
    """A root of static busybox, merged as Debian's is (bin -> usr/bin): the OVN layer has to fit over it."""
    busybox = Path("/bin/busybox")
    applets = _output(str(busybox), "--list").split()
    layer = Layer()
    for name in ("etc", "openstack", "run", "usr", "usr/bin", "usr/lib", "usr/lib64", "var"):
        layer.directory(name)
    layer.directory("tmp", mode=0o1777)
    for name in ("bin", "lib", "lib64"):
        layer.link(name, f"usr/{name}")
    for name in ("sbin", "usr/sbin"):
        layer.link(name, "bin" if "/" in name else "usr/bin")
    layer.link("var/run", "../run")
    users = [f"{name}:x:{uid}:{uid}::/tmp:/bin/sh" for name, uid in _USERS.items()]
    layer.file("etc/passwd", "\n".join(["root:x:0:0:root:/root:/bin/sh", *users, ""]).encode())
    layer.file("usr/bin/busybox", busybox.read_bytes(), mode=0o755)
    for applet in sorted(applets):
        if applet != "busybox":
            layer.link(f"usr/bin/{applet}", "busybox")
    return layer.content()


def _scripts_layer(version: str) -> bytes:
    """Programs as in real images: of /openstack, which a deployer may mount over, nothing starts."""
    layer = Layer()
    # every parent too: what an unpacker makes up has a time of its own, which podman takes for damage
    for name in ("openstack", "usr", "usr/local", "usr/local/bin"):
        layer.directory(name)
    layer.file("openstack/version", f"{version}\n".encode())
    for path in sorted(FILES.iterdir()):
        place = "openstack" if path.name == "healthcheck" else _PROGRAMS.lstrip("/")
        layer.file(f"{place}/{path.name}", path.read_bytes(), mode=0o755)
    return layer.content()


def _ovn_layer(root: Path) -> bytes:
    """The base image's OVN and its tools, with every library they load."""
    listing = _output("chroot", str(root), "ldd", *_OVN_PROGRAMS)
    libraries = {word for line in listing.splitlines() for word in line.split() if word.startswith("/lib")}
    layer = Layer()
    folders = set()
    for name in sorted({*_OVN_PROGRAMS, *_OVN_DATA, *libraries}):
        inside = name.lstrip("/") if name.startswith("/usr/") else f"usr{name}"
        for folder in reversed(Path(inside).parents):
            if str(folder) not in (".", "usr/sbin", *folders):
                layer.directory(str(folder))
                folders.add(str(folder))
        target = inside.replace("usr/sbin/", "usr/bin/")  # one directory, as in the busybox layer
        layer.file(target, (root / inside).resolve().read_bytes(), mode=0o755)
    return layer.content()


def _output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
