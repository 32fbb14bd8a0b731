"""What podman knows and does on a node: containers, local images, pulls by digest, health checks.

systemd starts the containers of OpenStack services (`quadlet`); this module only reads, renames and removes
them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import salt.utils.path
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import (
    commands,
    definitions,
    first_look,
    kept_images,
    layers,
    podman_inspect,
    podman_pull,
    pulling,
    registries,
    storage,
)
from openstack_rollout.node import images as stored
from openstack_rollout.node.errors import NodeError

_WHY = 3  # lines at the end of podman's output that say why it failed
_LONGEST = 2000
_LOOKS = 3  # at containers of which podman tells two things


def __virtual__():
    """Only where podman is installed."""
    if salt.utils.path.which("podman"):
        return True
    return (False, "podman is not installed")


def containers(known: bool = False) -> dict[str, dict]:
    """Every container of the node, running or not.

    known (bool): what this job knows already counts, for a first look (node/first_look.py), never for a
    proof.

    Returns {name: {"id": str, "running": bool, "started": whether it ever was, "image_id": str, "image": the
    reference it was created of, "healthy": True | False | None, "health_check": bool, "labels": dict,
    "exit_code": int, "restarts": how often podman itself started it again, "by_command": whether podman's
    command line created it, "pid": of its first process, 0 where none runs}}; healthy is None where the
    container has no health check or has not answered one yet.

    Raises CommandExecutionError when podman does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.containers
    """
    if known:
        return _memory().containers(containers, _some)
    names = [name for entry in _json(["ps", "--all", "--format", "json"]) for name in entry["Names"][:1]]
    # A container may be removed between the two calls: podman then still answers for the others.
    return _memory().whole(podman_inspect.records(__salt__, names)[0] if names else {})


def container(name: str, known: bool = False) -> dict | None:
    """One container, as `containers` tells of it; None when there is none of that name.

    name (str): the container's. known (bool): as for `containers`. Raises CommandExecutionError when podman
    does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.container nova_compute
    """
    return _memory().container(name, containers, _some) if known else _some([name]).get(name)


def process(container: str) -> int:
    """The id of a container's first process, as the node sees it; 0 when it does not run.

    container (str): its name. What this job knows already counts as long as that process runs. Raises
    CommandExecutionError when podman does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.process nova_compute
    """
    return _memory().process(container, containers, _some)


def image_ids(references: Iterable[str], known: bool = False) -> dict[str, str]:
    """The ids of those images that are local.

    references (list): image references with a digest; a tag beside the digest does not count. known (bool):
    as for `containers`.

    Returns {reference: image id}, without those that would have to be pulled.
    Raises CommandExecutionError when podman does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.image_ids '["registry.example/nova-compute@sha256:…"]'
    """
    wanted = list(references)
    if not known and len(wanted) == 1 and (identity := tagged(stored.without_tag(wanted[0]))):
        return {wanted[0]: identity}  # podman is quicker to tell of one than of all
    return stored.ids(wanted, local_images(known))


def local_images(known: bool = False) -> dict[str, list[str]]:
    """Every local image: {its id: [repository@digest, …]}.

    known (bool): as for `containers`. Raises CommandExecutionError when podman does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.local_images
    """
    found: dict[str, list[str]] = {}
    for entry in _listed(known):
        # An image is listed once for each of its names.
        found.setdefault(entry["Id"].removeprefix("sha256:"), []).extend(entry.get("RepoDigests") or ())
    return found


def named_images(known: bool = False) -> dict[str, str]:
    """What each name of a local image stands for: {repository:tag or repository@digest: id of the image}.

    known (bool): as for `containers`. Raises CommandExecutionError when podman does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.named_images
    """
    found: dict[str, str] = {}
    for entry in _listed(known):
        names = (*(entry.get("Names") or ()), *(entry.get("RepoDigests") or ()))
        found |= dict.fromkeys(names, entry["Id"].removeprefix("sha256:"))
    return found


def pull(reference: str) -> str:
    """Pull an image by its digest. It may take as long as it gets on.

    reference (str): registry/repository@sha256:…

    Returns the id of the image. Raises NodeError IMAGE_MISSING when the registry has no such image,
    REGISTRY_UNREACHABLE when it does not answer, or nothing came for `openstack:pulls:stall_timeout` seconds,
    DISK_FULL when there is no room for it, else a word of images.pull_failure.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.pull registry.example/nova-compute@sha256:…
    """
    stall, declared = pulling.stall_timeout(__pillar__), registries.of(__pillar__)
    identity = podman_pull.pull(reference, stall, _places(), declared)
    _memory().pulled({"Id": identity, "RepoDigests": [stored.without_tag(reference)]})
    return identity


def definition(container: str, key: str = "") -> dict:
    """A container's definition, without its image: what its deployer said of it, as digests.

    container (str): its name. key (str): of the snapshot that this one is going to be compared with.

    Returns what node/definitions.py calls a snapshot; no value can be read in it.
    Raises CommandExecutionError when there is no such container.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.definition nova_compute
    """
    return definitions.snapshot(podman_inspect.definition(__salt__, container), key)


def require_startable(image: str) -> None:
    """Make sure that a local image can be started here: its layers are whole, and there is room.

    image (str): a reference of a local image. Raises NodeError IMAGE_DAMAGED or DISK_FULL.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.require_startable registry.example/nova-compute@sha256:…
    """
    reference = stored.without_tag(image)
    mounted = _podman(["image", "mount", reference])
    if mounted.retcode:
        raise NodeError("IMAGE_DAMAGED", f"{image} cannot be read: {mounted.complaint(lines=_WHY)}")
    _podman(["image", "unmount", reference])
    driver = podman_inspect.one(__salt__, "image", reference).get("GraphDriver") or {}
    if driver.get("Name") == "overlay":
        data = driver.get("Data") or {}
        folders = [one for key in ("UpperDir", "LowerDir") for one in (data.get(key) or "").split(":") if one]
        if said := layers.missing(folders):
            raise NodeError("IMAGE_DAMAGED", f"{image} cannot be read: {said}")
    storage.require_room(_places()[0], f"{image} to start")


def remove_image(image: str) -> None:
    """Remove a local image with all of its names, and those of its layers that no other image has.

    image (str): a reference of it; one that does not exist is no error. Raises NodeError IMAGE_DAMAGED, and
    nothing is removed, where a container uses it.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.remove_image registry.example/nova-compute@sha256:…
    """
    identity = image_ids([image]).get(image)
    if identity is None:
        return
    _memory().forget_images()
    if users := sorted(name for name, one in containers().items() if one["image_id"] == identity):
        raise NodeError(
            "IMAGE_DAMAGED", f"{image} is damaged, and cannot be pulled anew under {', '.join(users)}"
        )
    kept_images.release(__salt__, [identity])
    _checked(["untag", identity])
    _checked(["image", "rm", identity])


def healthy(container: str) -> bool:
    """Run a container's own health check now.

    container (str): its name.

    Returns whether it passed; False also when the container is gone.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.healthy nova_compute
    """
    return not _podman(["healthcheck", "run", container]).retcode


def log(container: str, since: float, lines: int = 12) -> str:
    """The last lines that a container wrote, as podman's log driver has them.

    container (str): its name. since (float): seconds since the epoch; older lines are not given. lines (int):
    how many at most.

    Returns at most 2000 characters (str), "" when nothing was written or the container is gone.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.log nova_compute 1790000000
    """
    done = _podman(["logs", f"--tail={lines}", f"--since={int(since)}", container])
    return "" if done.retcode else f"{done.stdout}\n{done.stderr}".strip()[-_LONGEST:]


def rename(container: str, name: str) -> None:
    """Give a container another name.

    container (str): its name. name (str): the new one. Raises CommandExecutionError when podman refuses.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.rename nova_compute nova_compute-legacy
    """
    _memory().forget(container, name)
    _checked(["rename", container, name])


def tagged(reference: str) -> str:
    """The id of the local image that a name stands for now.

    reference (str): repository:tag, or any name of an image. Returns "" when there is none.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' podman.tagged cluster.common.tag/haproxy:pcmklatest
    """
    found = _podman(["image", "inspect", "--format", "{{.Id}}", reference])
    return "" if found.retcode else found.stdout.strip().removeprefix("sha256:")


def tag(image_id: str, reference: str) -> None:
    """Have a name stand for a local image from now on.

    image_id (str): the image. reference (str): repository:tag. Raises CommandExecutionError when podman
    refuses.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' podman.tag 822a33d68470 cluster.common.tag/haproxy:pcmklatest
    """
    _memory().forget_images()
    _checked(["tag", image_id, reference])


def untag(reference: str) -> None:
    """Take a name away from its image, which stays. One that does not exist is no error.

    reference (str): repository:tag. Raises CommandExecutionError when podman refuses.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' podman.untag cluster.common.tag/haproxy:pcmklatest-previous
    """
    _memory().forget_images()
    if image_id := tagged(reference):
        _checked(["untag", image_id, reference])


def remove(container: str) -> None:
    """Stop and remove a container; its image stays. One that does not exist is no error.

    container (str): its name. Raises CommandExecutionError when podman cannot remove it.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.remove edpm_nova_compute
    """
    _memory().forget(container)
    _checked(["rm", "--force", "--ignore", "--time", "30", container])


def _some(names: list[str]) -> dict[str, dict]:
    """What podman tells of containers by their names, now."""
    for _ in range(_LOOKS):
        told, done = podman_inspect.records(__salt__, names)
        found = {name: told[name] for name in names if name in told}  # a name may be the beginning of an id
        known = found.keys() | {one["id"] for one in told.values()}  # what was renamed is asked for by its id
        # One that its unit makes anew is not there for a moment.
        lost = [name for name in names if name not in known and not _is_absent(name)] if done.retcode else []
        if not lost:
            return _memory().some(names, found)
    raise CommandExecutionError(
        f"podman container inspect {' '.join(lost)}: {done.complaint(lines=len(names))}"
    )


def _is_absent(name: str) -> bool:
    """Whether podman says that there is no such container; it has an exit status of its own for that."""
    return _podman(["container", "exists", name]).retcode == 1


def _listed(known: bool) -> list[dict]:
    """podman's own list of its images."""
    if not known:
        _memory().forget_images()
    return _memory().images(lambda: _json(["images", "--all", "--digests", "--format", "json"]))


def _places() -> tuple[str, str]:
    return _memory().once("places", lambda: podman_pull.places(__salt__))


def _memory() -> first_look.FirstLook:
    return first_look.FirstLook(__context__, "podman")


def _json(arguments: list[str]) -> list:
    return json.loads(_checked(arguments) or "[]") or []


def _checked(arguments: list[str]) -> str:
    return commands.checked(__salt__, ["podman", *arguments], lines=_WHY)


def _podman(arguments: list[str]) -> commands.Result:
    return commands.run(__salt__, ["podman", *arguments])
