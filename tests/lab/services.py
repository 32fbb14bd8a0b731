"""What runs beside the machines: image registry, package repositories, Salt master."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import yaml

from . import settings

#: in the order they are started
NAMES = ("registry", "repositories", "master")


def write(home: Path, images: Path, repositories: Iterable[Path]) -> None:
    """Write what the services need into the lab's home.

    Args:
        home: The lab's home directory.
        images: The registry's storage; it is served read-only.
        repositories: The package repositories; they are copied, so that a test may spoil them.
    """
    for place in repositories:
        shutil.copytree(place, home / "repositories", dirs_exist_ok=True)
    registry = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(images)},
            "maintenance": {"readonly": {"enabled": True}},
        },
        "http": {"addr": settings.REGISTRY},
    }
    (home / "registry.yml").write_text(yaml.safe_dump(registry))
    (home / "salt").mkdir()
    (home / "salt" / "master").write_text(yaml.safe_dump(_master_configuration(home)))


def command(name: str, home: Path) -> tuple[list[str], int]:
    """A service's command, and the port it listens on when it serves."""
    if name == "registry":
        return ["docker-registry", "serve", str(home / "registry.yml")], settings.REGISTRY_PORT
    if name == "repositories":
        server = ["python3", "-m", "http.server", str(settings.REPOSITORY_PORT)]
        place = f"--directory={home / 'repositories'}"
        return [*server, f"--bind={settings.HOST_ADDRESS}", place], settings.REPOSITORY_PORT
    return [str(settings.salt_tool("salt-master")), "-c", str(home / "salt")], settings.MASTER_PORT


def accepted_keys(home: Path) -> Path:
    """Where the master keeps the keys of the minions it accepted."""
    return home / "salt/etc/salt/pki/master/minions"


def _master_configuration(home: Path) -> dict:
    """The checkout's own master configuration, its paths replaced, plus what a lab needs."""
    shipped = (settings.CHECKOUT / "etc/master").read_text()
    own = yaml.safe_load(shipped.replace(settings.CHECKOUT_IN_NODE, str(settings.CHECKOUT)))
    own["pillar_roots"]["base"].insert(0, str(home / "pillar"))
    return own | {
        "root_dir": str(home / "salt"),
        "interface": settings.HOST_ADDRESS,
        "auto_accept": True,
        "worker_threads": 3,
        "timeout": 15,
        "fileserver_list_cache_time": 0,
        "log_level": "warning",
    }
