"""What podman knows and does on a node: containers, local images, pulls by digest, health checks.

Containers of OpenStack services are started by systemd (quadlet); this module only reads and removes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

import salt.utils.path
from salt.exceptions import CommandExecutionError

from openstack_rollout.node.errors import NodeError

# What podman and the registry say, and the reason it stands for; the first match counts.
_PULL_FAILURES = (
    (re.compile(r"manifest unknown|name unknown|not found|\b404\b", re.I), "IMAGE_MISSING"),
    (
        re.compile(
            r"connection refused|connection reset|no such host|i/o timeout|timed? ?out|deadline exceeded"
            r"|network is unreachable|no route to host|unexpected eof|50[234]\b|bad gateway|unavailable",
            re.I,
        ),
        "REGISTRY_UNREACHABLE",
    ),
)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TAG = re.compile(r":[^/:@]+(?=@)")


def __virtual__():
    """Only where podman is installed."""
    if salt.utils.path.which("podman"):
        return True
    return (False, "podman is not installed")


def containers() -> dict[str, dict]:
    """Every container of the node, running or not.

    Returns {name: {"running": bool, "image_id": str, "healthy": True | False | None, "labels": dict,
    "exit_code": int}}; healthy is None where the container has no health check or has not answered one yet.

    Raises CommandExecutionError when podman does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.containers
    """
    names = [name for entry in _json(["ps", "--all", "--format", "json"]) for name in entry["Names"][:1]]
    if not names:
        return {}
    # A container may go between the two calls: podman then still answers for those that are left.
    found = _run(["container", "inspect", *names])
    try:
        return {entry["Name"]: _container(entry) for entry in json.loads(found["stdout"] or "[]")}
    except ValueError as error:
        raise CommandExecutionError(f"podman container inspect: {_tail(found)}") from error


def image_ids(references: Iterable[str], images: Mapping[str, Iterable[str]] | None = None) -> dict[str, str]:
    """The ids of those images that are local.

    references: image references with a digest; a tag beside the digest is of no account. images (dict): of
    `local_images`, for a caller who has them.

    Returns {reference: image id}, without those that would have to be pulled.
    Raises CommandExecutionError when podman does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.image_ids '["registry.example/nova-compute@sha256:…"]'
    """
    local = {name: image_id for image_id, names in (images or local_images()).items() for name in names}
    found = {reference: local.get(_without_tag(reference)) for reference in references}
    return {reference: image_id for reference, image_id in found.items() if image_id}


def local_images() -> dict[str, list[str]]:
    """Every local image: {its id: [repository@digest, …]}.

    Raises CommandExecutionError when podman does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.local_images
    """
    found: dict[str, list[str]] = {}
    for entry in _json(["images", "--all", "--digests", "--format", "json"]):
        # An image is listed once for each of its names.
        found.setdefault(entry["Id"].removeprefix("sha256:"), []).extend(entry.get("RepoDigests") or ())
    return found


def pull(reference: str) -> str:
    """Pull an image by its digest.

    reference (str): registry/repository@sha256:…

    Returns the id of the image. Raises NodeError IMAGE_MISSING when the registry has no such image,
    REGISTRY_UNREACHABLE when it does not answer, else IMAGE_PULL_FAILED.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.pull registry.example/nova-compute@sha256:…
    """
    plain = _without_tag(reference)
    result = _run(["pull", "--quiet", "--retry", "1", "--retry-delay", "1s", plain])
    if result["retcode"]:
        said = _tail(result).removeprefix("Error: ").removeprefix(f"initializing source docker://{plain}: ")
        words = _DIGEST.sub("", said)  # whose digits could pass for a status code
        reason = next(
            (word for pattern, word in _PULL_FAILURES if pattern.search(words)), "IMAGE_PULL_FAILED"
        )
        raise NodeError(reason, f"{reference}: {said}")
    return result["stdout"].split()[-1].removeprefix("sha256:")


def healthy(container: str) -> bool:
    """Run a container's own health check now.

    container (str): its name.

    Returns whether it passed; False also when the container is gone.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.healthy nova_compute
    """
    return not _run(["healthcheck", "run", container])["retcode"]


def rename(container: str, name: str) -> None:
    """Give a container another name.

    container (str): its name. name (str): the new one. Raises CommandExecutionError when podman refuses.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.rename nova_compute nova_compute-legacy
    """
    _checked(["rename", container, name])


def remove(container: str) -> None:
    """Stop and remove a container; its image stays. One that does not exist is no error.

    container (str): its name. Raises CommandExecutionError when podman cannot remove it.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' podman.remove edpm_nova_compute
    """
    _checked(["rm", "--force", "--ignore", "--time", "30", container])


def _container(entry: dict) -> dict:
    state = entry["State"]
    health = (state.get("Health") or {}).get("Status")
    return {
        "running": bool(state["Running"]),
        "image_id": entry["Image"].removeprefix("sha256:"),
        "healthy": {"healthy": True, "unhealthy": False}.get(health),
        "labels": (entry.get("Config") or {}).get("Labels") or {},
        "exit_code": state.get("ExitCode", 0),
    }


def _without_tag(reference: str) -> str:
    return _TAG.sub("", reference)


def _json(arguments: list[str]) -> list:
    text = _checked(arguments)["stdout"]
    return json.loads(text or "[]") or []


def _checked(arguments: list[str]) -> dict:
    result = _run(arguments)
    if result["retcode"]:
        raise CommandExecutionError(f"podman {' '.join(arguments[:2])}: {_tail(result)}")
    return result


def _run(arguments: list[str]) -> dict:
    # A failure is an answer here (a health check, a missing image), not something for the minion's log.
    return __salt__["cmd.run_all"](["podman", *arguments], python_shell=False, ignore_retcode=True)


def _tail(result: dict) -> str:
    said = (result["stderr"] or result["stdout"]).strip().splitlines()
    lines = [line for line in said if not line.startswith("time=")] or said  # without podman's own log
    return " ".join(line.strip() for line in lines[-3:]) or f"exit code {result['retcode']}"
