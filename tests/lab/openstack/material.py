"""Build what the profile `openstack` runs on: one heavy image layer with Debian's OpenStack, and the images
of the lab's releases over it.

The heavy layer is in an image store that every machine has beside its own, read-only, so that a pull moves
only a release's own few megabytes. The databases are made once and packed into them.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab import base, cache, chroot, images, settings
from tests.lab.registry_storage import Layer, Storage

from . import configuration

_FILES = settings.HERE / "files" / "openstack"
_PACKAGES = (
    *("mariadb-server", "rabbitmq-server", "keystone", "placement-api", "glance-api"),
    *("nova-api", "nova-conductor", "nova-scheduler", "masakari-api"),
    *("neutron-server", "neutron-l3-agent", "neutron-dhcp-agent", "neutron-openvswitch-agent"),
    *("openvswitch-switch", "iptables", "keepalived", "sudo", "iproute2", "procps"),
    *("python3-pymysql", "python3-openstacksdk", "uwsgi-plugin-python3"),
)
_BOOTSTRAP = ("ca-certificates", "iproute2", "procps", "python3", "systemd")
#: what a container does not need, seen from the root; the databases' first files are packed apart
_LEFT_OUT = (
    *("./dev/*", "./proc/*", "./run/*", "./tmp/*", "./boot/*", "./var/lib/mysql/*", "./var/log/*"),
    *(
        "./usr/share/doc/*",
        "./usr/share/man/*",
        "./usr/share/locale/*",
        "./var/cache/*",
        "./usr/lib/udev/hwdb*",
    ),
)
#: How the layer is packed. Times are kept: Python takes bytecode only beside a source of the time that it
#: was compiled from, else every service compiles thousands of modules at each start.
_PACKED = ("--sort=name", "--numeric-owner", "--format=gnu")
#: Image keys with a real service; the rest of a release stays the lab's small ones.
KEYS = (
    *("mariadb_image", "rabbitmq_image", "keystone_api_image", "placement_api_image", "glance_api_image"),
    *("neutron_api_image", "nova_api_image", "nova_conductor_image", "nova_scheduler_image"),
    *("nova_compute_image", "neutron_openvswitch_agent_image", "neutron_l3_agent_image"),
    "edpm_neutron_dhcp_agent_image",
)
#: files that the databases are made without
_NOT_OF_DATABASES = (
    *("openstack/start", "openstack/healthcheck", "usr/lib/python3/dist-packages/nova/virt/lab.py"),
    *("etc/neutron/openvswitch_agent.ini", "etc/neutron/l3_agent.ini", "etc/neutron/dhcp_agent.ini"),
)


@dataclass(frozen=True)
class Heavy:
    """The root the services run from, as a directory, as an image layer, and in a store for machines."""

    root: Path
    layer: Path
    digest: str
    store: Path


def heavy() -> Heavy:
    """The heavy layer, made when the cache lacks it (two to four minutes).

    Raises:
        RuntimeError: A step failed; the message has the end of its output.
    """
    key = cache.digest_of(_PACKAGES, _BOOTSTRAP, _LEFT_OUT, _PACKED, base.SUITE, platform.machine())
    place = cache.ensure("openstack-layer", key, _build)
    digest = (place / "digest").read_text()
    return Heavy(place / "root", place / "layer.tar", digest, place / "store")


def ensure(plain: images.Images) -> images.Images:
    """The lab's images, with those of the profile's services in place of the small ones.

    Args:
        plain: The lab's images.

    Raises:
        RuntimeError: A step failed; the message has the end of its output.
    """
    layer = heavy()
    code = [settings.HERE / "openstack" / name for name in ("material.py", "configuration.py")]
    key = cache.digest_of(*code, _FILES, layer.digest, plain.storage.parent.name)
    place = cache.ensure(
        "openstack-images", key, lambda work: write(work, layer, plain, KEYS, own_files(layer))
    )
    index = json.loads((place / "index.json").read_text())
    return images.Images(place / "storage", index, plain.extra, layer.store)


def _build(work: Path) -> None:
    log = cache.log("openstack-layer")
    root = work / "root"
    _bootstrap(root, log)
    (root / "etc/hostname").write_text("ctl1\n")  # a package asks for it while it is configured
    for argv in (
        ["apt-get", "-qq", "update"],
        ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", "install", "-y", *_PACKAGES],
        ["apt-get", "clean"],
    ):
        chroot.run(root, argv, log=log)
    base.clean(root)
    _pack(work)


def _pack(work: Path) -> None:
    """Make the layer, its digest and the store of the root."""
    root = work / "root"
    left_out = [f"--exclude={pattern}" for pattern in _LEFT_OUT]
    subprocess.run(["tar", "-C", root, *_PACKED, *left_out, "-cf", work / "layer.tar", "."], check=True)
    with (work / "layer.tar").open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    (work / "digest").write_text(digest)
    _fill_store(work, digest)


def _bootstrap(root: Path, log: Path) -> None:
    """A Debian of the base image's suite, able to install packages from where the base image has them."""
    with log.open("w") as output:
        include = f"--include={','.join(_BOOTSTRAP)}"
        subprocess.run(
            ["debootstrap", "--variant=minbase", include, base.SUITE, root, base.mirror()],
            check=True,
            stdout=output,
            stderr=output,
        )
    base.configure_packaging(root)


def _fill_store(work: Path, digest: str) -> None:
    """Make an image store with the layer in it."""
    layout = Storage(work / "registry")
    layout.adopt(work / "layer.tar", digest)
    manifest = layout.image("heavy", "heavy", [digest], {}).rpartition(":")[2]
    blobs = work / "oci/blobs/sha256"
    blobs.mkdir(parents=True)
    for blob in (work / "registry").glob("docker/registry/v2/blobs/sha256/*/*/data"):
        os.link(blob, blobs / blob.parent.name)
    index = {"schemaVersion": 2, "manifests": [layout.manifest(manifest)]}
    (work / "oci/index.json").write_text(json.dumps(index))
    (work / "oci/oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    target = f"containers-storage:[overlay@{work / 'store'}+{work / 'run'}]{settings.REGISTRY}/heavy:heavy"
    # It tries mounts, which are to go with it.
    private = ["unshare", "--mount", "--propagation=private", "--"]
    subprocess.run([*private, "skopeo", "copy", "--quiet", f"oci:{work / 'oci'}", target], check=True)
    for name in ("registry", "oci", "run"):
        shutil.rmtree(work / name, ignore_errors=True)


def write(
    work: Path, layer: Heavy, plain: images.Images, keys: tuple[str, ...], files: dict[str, bytes]
) -> None:
    """Write a registry's storage and the releases' index into a directory: real images in place of some.

    Args:
        work: The directory.
        layer: What the real ones stand on.
        plain: The lab's images.
        keys: The image keys of the real ones.
        files: What they have over the heavy layer, by path.
    """
    shutil.copytree(plain.storage, work / "storage", copy_function=_copied)
    storage = Storage(work / "storage")
    storage.adopt(layer.layer, layer.digest)
    releases = {}
    for version in settings.RELEASES:
        layers = [layer.digest, storage.blob(_own_layer(files, version))]
        special = {
            key: storage.image(images.repository(key), version, layers, _settings(key, version))
            for key in keys
        }
        releases[version] = plain.releases[version] | special
    (work / "index.json").write_text(json.dumps(releases, indent=1))


def _copied(source: str, target: str) -> None:
    """Share a blob with where it comes from; copy a reference, which may be written anew."""
    if source.endswith("/data"):
        os.link(source, target)
    else:
        shutil.copy(source, target)


def _settings(key: str, version: str) -> dict:
    variables = {
        # rabbitmq's own tools, not the distribution's wrappers, which change the user
        "PATH": "/usr/lib/rabbitmq/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "SERVICE": key.removesuffix("_image"),
        "VERSION": version,
        "LC_ALL": "C.UTF-8",
    }
    return {
        "Env": [f"{name}={value}" for name, value in variables.items()],
        "Entrypoint": ["/openstack/start"],
        "Labels": {"org.opencontainers.image.version": version, "org.opencontainers.image.title": key},
    }


def own_files(layer: Heavy) -> dict[str, bytes]:
    """What the services have over the heavy layer: configuration, scripts, keys and the first databases."""
    files = {
        **{path: text.encode() for path, text in configuration.files().items()},
        **{f"openstack/{path.name}": path.read_bytes() for path in (_FILES / "image").iterdir()},
        "usr/lib/python3/dist-packages/nova/virt/lab.py": (_FILES / "driver.py").read_bytes(),
    }
    deciding = {name: content for name, content in files.items() if name not in _NOT_OF_DATABASES}
    key = cache.digest_of(layer.digest, sorted(deciding.items()))
    place = cache.ensure("openstack-databases", key, lambda work: _make_databases(work, layer, deciding))
    return files | {
        str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()
    }


def _make_databases(work: Path, layer: Heavy, files: dict[str, bytes]) -> None:
    """Run the services' own tools for it, over the heavy layer and in a network of their own."""
    upper = work / "scratch/upper"
    for name, content in files.items():
        path = upper / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(_mode(name))
    log = cache.log("openstack-databases")
    log.write_text("")
    isolated = ["unshare", "--net", "--uts", "--"]
    chroot.run(upper, [*isolated, "/openstack/initialise"], log=log, lower=layer.root)
    for path in (upper / "openstack/databases.tar.gz", *(upper / "etc/keystone").glob("*-keys/*")):
        target = work / path.relative_to(upper)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    shutil.rmtree(work / "scratch")


def _own_layer(files: dict[str, bytes], version: str) -> bytes:
    layer = Layer()
    for name in sorted({str(p) for path in files for p in Path(path).parents} - {"."}):
        layer.directory(name)
    for name, content in sorted((files | {"openstack/version": f"{version}\n".encode()}).items()):
        layer.file(name, content, mode=_mode(name))
    return layer.content()


def _mode(name: str) -> int:
    return 0o755 if name.startswith("openstack/") else 0o644
