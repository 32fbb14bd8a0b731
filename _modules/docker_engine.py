"""What docker knows and does on a node: containers, local images, pulls by digest, health checks.

The same functions as of `podman`, by docker's SDK for Python. Nothing of ours is started by docker: this
module only reads, renames and removes.
"""

from __future__ import annotations

from collections.abc import Iterable

import salt.utils.path
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import (
    definitions,
    docker_api,
    docker_definition,
    first_look,
    pulling,
    registries,
    storage,
    waiting,
)
from openstack_rollout.node import images as stored
from openstack_rollout.node.errors import NodeError

_SECOND = 1_000_000_000  # docker's times are nanoseconds
_HEALTH_TIMEOUT = 30  # seconds, docker's own where a health check gives none
_NO_CHECK = ("NONE", "")
_STOPS_IN = 30
_LONGEST = 2000


def __virtual__():
    """Only where docker is installed, and where salt-minion can speak to it."""
    if not docker_api.serves() and not salt.utils.path.which("dockerd"):
        return (False, "docker is not installed")
    if docker_api.docker is None:
        return (False, docker_api.MISSING)
    return True


def containers(known: bool = False) -> dict[str, dict]:
    """Every container of docker on the node, running or not.

    known (bool): what this job knows already counts, for a first look (node/first_look.py), never for a
    proof.

    Returns {name: {"id": str, "running": bool, "image_id": str, "image": the reference it was created of,
    "healthy": True | False | None, "health_check": bool, "labels": dict, "exit_code": int, "restarts": how
    often docker has restarted it by itself, "pid": of its first process, 0 where none runs}}; healthy is None
    where the container has no health check or has not answered one yet. Where docker was not started since
    the node's boot there are none.

    Raises CommandExecutionError when docker does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' docker_engine.containers
    """
    if not docker_api.serves():
        return {}
    if known:
        return _memory().containers(containers, _some)
    with docker_api.talking() as client:
        # A container may be removed between the two calls.
        told = [docker_api.found(client, entry["Id"]) for entry in client.containers(all=True)]
    return _memory().whole({entry["Name"].lstrip("/"): _container(entry) for entry in told if entry})


def container(name: str, known: bool = False) -> dict | None:
    """One container, as `containers` tells of it; None when there is none of that name.

    name (str): the container's. known (bool): as for `containers`. Raises CommandExecutionError when docker
    does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' docker_engine.container nova_compute
    """
    if not docker_api.serves():
        return None
    return _memory().container(name, containers, _some) if known else _some([name]).get(name)


def process(container: str) -> int:
    """The id of a container's first process, as the node sees it; 0 when it does not run.

    container (str): its name. What this job knows already counts as long as that process runs. Raises
    CommandExecutionError when docker does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' docker_engine.process nova_compute
    """
    return _memory().process(container, containers, _some) if docker_api.serves() else 0


def image_ids(references: Iterable[str], known: bool = False) -> dict[str, str]:
    """The ids of those images that are local.

    references (list): image references with a digest; a tag beside the digest does not count. known (bool):
    as for `containers`.

    Returns {reference: image id}, without those that would have to be pulled.
    Raises CommandExecutionError when docker does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' docker_engine.image_ids '["registry.example/nova-compute@sha256:…"]'
    """
    return stored.ids(references, local_images(known))


def local_images(known: bool = False) -> dict[str, list[str]]:
    """Every local image: {its id: [repository@digest, …]}.

    known (bool): as for `containers`. Raises CommandExecutionError when docker does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' docker_engine.local_images
    """
    if not docker_api.serves():
        return {}
    if not known:
        _memory().forget_images()
    told = _memory().images(_listed)
    return {docker_api.plain_id(entry["Id"]): list(entry.get("RepoDigests") or ()) for entry in told}


def pull(reference: str) -> str:
    """Pull an image by its digest. It may take as long as it gets on.

    reference (str): registry/repository@sha256:…

    Returns the id of the image. Raises NodeError IMAGE_MISSING when the registry has no such image,
    REGISTRY_UNREACHABLE when it does not answer, or docker told nothing for `openstack:pulls:stall_timeout`
    seconds, DISK_FULL when there is no room for it, SIGNATURE_WRONG for a tag where images have to be signed,
    else a word of images.pull_failure.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' docker_engine.pull registry.example/nova-compute@sha256:…
    """
    plain, stall = stored.without_tag(reference), pulling.stall_timeout(__pillar__)
    _refuse_unproven(reference)
    with docker_api.talking() as client:
        storage.require_room(client.info()["DockerRootDir"], reference)
        try:
            # docker tells a failure that comes after its answer began in a line of the answer.
            told = docker_api.pulled(client, plain, stall, _login(reference))
            errors = [line["error"] for line in told if "error" in line]
        except docker_api.APIError as error:
            errors = [docker_api.said(error)]
        except docker_api.StoodStill as error:
            waited = f"{reference}: docker told nothing for {stall:g} s, {error}"
            raise NodeError("REGISTRY_UNREACHABLE", waited, waited=True) from error
        if errors:
            complaint = " ".join(errors[-1].split())
            reason = stored.pull_failure(complaint)
            left_alone = stored.retry_after(complaint)
            raise NodeError(reason, f"{reference}: {complaint}", retry_after=left_alone)
        identity = docker_api.plain_id(client.inspect_image(plain)["Id"])
    _memory().pulled({"Id": identity, "RepoDigests": [plain]})
    return identity


def healthy(container: str) -> bool:
    """Run a container's own health check now, as docker would in its interval.

    container (str): its name.

    Returns whether it passed; False also when it has none, when it takes longer than it may, and when the
    container is gone or does not run.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' docker_engine.healthy nova_compute
    """
    with docker_api.talking() as client:
        told = docker_api.found(client, container)
        command = _health_command(told["Config"]) if told else []
        if not command:
            return False
        limit = (told["Config"]["Healthcheck"].get("Timeout") or 0) / _SECOND or _HEALTH_TIMEOUT
        try:
            job = client.exec_create(container, command, stdout=False, stderr=False)["Id"]
            client.exec_start(job, detach=True)
        except docker_api.APIError:
            return False
        ended = waiting.until(lambda: not client.exec_inspect(job)["Running"], limit, 0.1)
        return bool(ended) and client.exec_inspect(job)["ExitCode"] == 0


def log(container: str, since: float, lines: int = 12) -> str:
    """The last lines that a container wrote, as docker's log driver has them.

    container (str): its name. since (float): seconds since the epoch; older lines are not given. lines (int):
    how many at most.

    Returns at most 2000 characters (str), "" when nothing was written, the driver keeps nothing or the
    container is gone.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' docker_engine.log nova_compute 1790000000
    """
    with docker_api.talking() as client:
        try:
            written = client.logs(container, tail=lines, since=int(since))
        except docker_api.APIError:
            return ""
    return written.decode(errors="replace").strip()[-_LONGEST:]


def definition(container: str, key: str = "") -> dict:
    """A container's definition, without its image: what its deployer said of it, as digests.

    container (str): its name. key (str): of the snapshot that this one is going to be compared with.

    Returns what node/definitions.py calls a snapshot; no value can be read in it.
    Raises CommandExecutionError when there is no such container, or docker does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' docker_engine.definition nova_compute
    """
    with docker_api.talking() as client:
        told = docker_api.found(client, container)
        if told is None:
            raise CommandExecutionError(f"docker has no container {container}")
        return definitions.snapshot(docker_definition.of(told, docker_api.image_of(client, told)), key)


def require_startable(image: str) -> None:
    """Make sure that a local image can be started here: docker has it, and there is room.

    image (str): a reference of a local image. Raises NodeError IMAGE_DAMAGED or DISK_FULL.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' docker_engine.require_startable registry.example/nova-compute@sha256:…
    """
    with docker_api.talking() as client:
        try:
            client.inspect_image(stored.without_tag(image))
        except docker_api.NotFound as error:
            raise NodeError("IMAGE_DAMAGED", f"{image} cannot be read: {docker_api.said(error)}") from error
        storage.require_room(client.info()["DockerRootDir"], f"{image} to start")


def remove_image(image: str) -> None:
    """Remove a local image, and those of its layers that no other image has.

    image (str): a reference of it; one that does not exist is no error. Raises NodeError IMAGE_DAMAGED where
    docker refuses, since a container uses it.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' docker_engine.remove_image registry.example/nova-compute@sha256:…
    """
    _memory().forget_images()
    with docker_api.talking() as client:
        try:
            client.remove_image(stored.without_tag(image))
        except docker_api.NotFound:
            return
        except docker_api.APIError as error:
            raise NodeError("IMAGE_DAMAGED", f"{image} is damaged: {docker_api.said(error)}") from error


def rename(container: str, name: str) -> None:
    """Give a container another name.

    container (str): its name. name (str): the new one. Raises CommandExecutionError when docker refuses.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' docker_engine.rename nova_compute nova_compute-legacy
    """
    _memory().forget(container, name)
    with docker_api.talking() as client:
        client.rename(container, name)


def remove(container: str) -> None:
    """Stop and remove a container; its image and its volumes stay. One that does not exist is no error.

    container (str): its name. Raises CommandExecutionError when docker cannot remove it.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' docker_engine.remove nova_compute-legacy
    """
    _memory().forget(container)
    with docker_api.talking() as client:
        if docker_api.found(client, container):
            client.stop(container, timeout=_STOPS_IN)
            client.remove_container(container, force=True)


def _container(entry: dict) -> dict:
    state, config = entry["State"], entry["Config"]
    health = (state.get("Health") or {}).get("Status")
    return {
        "id": entry["Id"],
        "running": bool(state["Running"] and not state.get("Restarting")),
        "image_id": docker_api.plain_id(entry["Image"]),
        "image": config.get("Image") or "",
        "healthy": {"healthy": True, "unhealthy": False}.get(health),
        "health_check": bool(_health_command(config)),
        "labels": config.get("Labels") or {},
        "exit_code": state.get("ExitCode", 0),
        "restarts": entry.get("RestartCount", 0),
        "pid": int(state.get("Pid") or 0),
    }


def _some(names: list[str]) -> dict[str, dict]:
    """What docker tells of containers by their names, now."""
    with docker_api.talking() as client:
        told = [docker_api.found(client, name) for name in names]
    found = {entry["Name"].lstrip("/"): _container(entry) for entry in told if entry}
    # A name may be the beginning of another one's id.
    return _memory().some(names, {name: found[name] for name in names if name in found})


def _listed() -> list[dict]:
    """docker's own list of its images."""
    with docker_api.talking() as client:
        return client.images(all=True)


def _memory() -> first_look.FirstLook:
    return first_look.FirstLook(__context__, "docker_engine")


def _refuse_unproven(reference: str) -> None:
    """docker checks no signatures: what the master has looked at counts, and only a digest says what it was.

    Raises NodeError SIGNATURE_WRONG.
    """
    if "@" not in reference and registries.signing(reference, registries.of(__pillar__)):
        text = "images from there have to be signed, and docker proves that by their digest alone: name it"
        raise NodeError("SIGNATURE_WRONG", f"{reference}: {text}")


def _login(reference: str) -> tuple[str, str] | None:
    """What is declared for an image's registry."""
    try:
        return registries.login(reference, registries.of(__pillar__))
    except registries.Unreadable as error:
        raise NodeError("REGISTRY_LOGIN", f"{reference}: {error}") from error


def _health_command(config: dict) -> list[str]:
    """The command of a container's health check, [] without one."""
    test = (config.get("Healthcheck") or {}).get("Test") or [""]
    if test[0] in _NO_CHECK:
        return []
    if test[0] == "CMD-SHELL":
        return [*(config.get("Shell") or ["/bin/sh", "-c"]), test[1]]
    return test[1:]
