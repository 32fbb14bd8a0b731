"""The images that engines have on this node, what each takes up on the disk, and removing one.

An image is known by the names that it has: repository@digest, and tags.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands, container_store, docker_api, engines

#: Where units and quadlets name images that no container runs at the moment.
UNITS = (
    "/etc/containers/systemd",
    "/usr/share/containers/systemd",
    "/etc/systemd/system",
    "/usr/lib/systemd/system",
)
_KINDS = (".container", ".image", ".kube", ".pod", ".service", ".yaml", ".yml", ".conf")
_MOST = 2**20  # bytes of a file that is read
_WHY = 2  # lines at the end of podman's output that say why it failed


class Image(NamedTuple):
    """An image of this node.

    engine (str): the execution module of the engine that has it. id (str): its id. names (tuple): all its
    names. layers (dict): {layer: bytes} of those that are known; several images may have a layer.
    """

    engine: str
    id: str
    names: tuple[str, ...]
    layers: Mapping[str, int]


def found(salt: Mapping[str, Any]) -> list[Image]:
    """All images that have a name.

    salt (dict): the caller's `__salt__`. Raises CommandExecutionError when an engine does not answer.
    """
    some: list[Image] = []
    for engine in engines.loaded(salt):
        some += _of_podman(salt) if engine == engines.PODMAN else _of_docker()
    return some


def used(salt: Mapping[str, Any], names: Iterable[str]) -> tuple[set[str], set[str]]:
    """The ids of the images that containers are of, running or not; and those of some names that units have.

    salt (dict): the caller's `__salt__`. names: of images. Raises CommandExecutionError when an engine does
    not answer.
    """
    ids = {
        one["image_id"] for engine in engines.loaded(salt) for one in salt[f"{engine}.containers"]().values()
    }
    text = "\n".join(_written())
    return ids, {name for name in names if name in text}


def bytes_of(going: Collection[Image], every: Collection[Image]) -> int:
    """What is free once images are gone: the layers that no other one has.

    going: the images. every: all of the node.
    """
    gone = {(one.engine, one.id) for one in going}
    stay = {(one.engine, layer) for one in every if (one.engine, one.id) not in gone for layer in one.layers}
    free = {(one.engine, layer): size for one in going for layer, size in one.layers.items()}
    return sum(size for layer, size in free.items() if layer not in stay)


def remove(salt: Mapping[str, Any], image: Image) -> str:
    """Remove an image with all of its names, unless a container is of it.

    salt (dict): the caller's `__salt__`. Returns why it could not be removed, "" where it is gone.
    """
    if image.engine == engines.DOCKER:
        return _removed_by_docker(image)
    done = _podman(salt, ["image", "rm", image.id])
    if done.retcode and image.names[1:] and not _is_used(salt, image):
        # podman removes none by its id that has several names
        _podman(salt, ["untag", image.id])
        done = _podman(salt, ["image", "rm", image.id])
    return done.complaint(lines=_WHY) if done.retcode else ""


def _of_podman(salt: Mapping[str, Any]) -> list[Image]:
    names: dict[str, list[str]] = {}
    for name, identity in salt["podman.named_images"]().items():
        names.setdefault(identity, []).append(name)
    layers = container_store.layers_of_images(salt)
    # What is in no list of podman's own store is in another one, which podman cannot remove from.
    return [
        Image(engines.PODMAN, identity, tuple(sorted(some)), layers.get(identity, {}))
        for identity, some in sorted(names.items())
        if identity in layers or not layers
    ]


def _of_docker() -> list[Image]:
    if not docker_api.serves():
        return []
    with docker_api.talking() as client:
        told = client.df().get("Images") or []
    some = []
    for one in told:
        every = [*(one.get("RepoTags") or ()), *(one.get("RepoDigests") or ())]
        names = tuple(sorted(name for name in every if "<none>" not in name))
        # docker tells of an image what no other one has, and not of which layers that is
        own = max(0, int(one.get("Size") or 0) - max(0, int(one.get("SharedSize") or 0)))
        identity = docker_api.plain_id(one["Id"])
        if names:
            some.append(Image(engines.DOCKER, identity, names, {identity: own}))
    return some


def _removed_by_docker(image: Image) -> str:
    try:
        with docker_api.talking() as client:
            for name in image.names:  # the last one takes the image with it
                try:
                    client.remove_image(name)
                except docker_api.NotFound:
                    continue
    except CommandExecutionError as error:
        return str(error)
    return ""


def _is_used(salt: Mapping[str, Any], image: Image) -> bool:
    return image.id in {one["image_id"] for one in salt[f"{image.engine}.containers"]().values()}


def _written() -> Iterable[str]:
    """What the files of units say."""
    for folder in map(Path, UNITS):
        for path in folder.rglob("*") if folder.is_dir() else ():
            if path.name.endswith(_KINDS):
                try:
                    yield path.read_text(encoding="utf-8", errors="replace")[:_MOST]
                except OSError:
                    continue  # a link to nothing, or a folder of that name


def _podman(salt: Mapping[str, Any], arguments: list[str]) -> commands.Result:
    return commands.run(salt, ["podman", *arguments])
