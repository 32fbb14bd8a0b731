"""Speaking to dockerd through docker's own SDK for Python, which salt-minion's Python has to have."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from salt.exceptions import CommandExecutionError

from openstack_rollout.node.errors import NodeError

try:
    import docker
    from docker.errors import APIError, DockerException, NotFound
except ImportError:
    docker = None
    APIError = DockerException = NotFound = None  # nothing is raised without the library

SOCKET = Path("/run/docker.sock")
MISSING = "docker runs here, and salt-minion's Python lacks its library: salt-pip install docker"
_TIMEOUT = 60  # seconds in which dockerd answers one question
_LONGEST = 500


def serves() -> bool:
    """Whether there is a socket of dockerd. podman-docker puts a link to podman's in its place."""
    return SOCKET.exists() and SOCKET.resolve().name != "podman.sock"


@contextmanager
def talking(timeout: float = _TIMEOUT) -> Iterator[Any]:
    """A client of dockerd (docker.APIClient), for a while.

    timeout (float): seconds in which dockerd has to answer each question.

    Raises NodeError NODE_ERROR without the library, CommandExecutionError when dockerd does not answer or
    refuses; the message has dockerd's own words.
    """
    if docker is None:
        raise NodeError("NODE_ERROR", MISSING)
    try:
        with docker.APIClient(base_url=f"unix://{SOCKET}", version="auto", timeout=timeout) as client:
            yield client
    except (
        DockerException,
        OSError,
    ) as error:  # the SDK lets errors of its HTTP library through, all OSError
        raise CommandExecutionError(f"docker: {said(error)}") from error


class StoodStill(Exception):
    """A pull of which docker told nothing any more."""


def pulled(
    client: Any, reference: str, stall: float, login: tuple[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """Pull an image, and yield what docker tells meanwhile.

    client: of `talking`. reference (str): by digest. stall (float): seconds in which docker has to tell
    anything new: then StoodStill is raised. login (tuple): user and password, None for what docker itself has
    of the registry. docker ends the pull when its client is gone, at the latest with
    this process.
    """
    lines: queue.SimpleQueue[Any] = queue.SimpleQueue()
    auth = {"username": login[0], "password": login[1]} if login else None

    def read() -> None:
        try:
            for line in client.pull(reference, stream=True, decode=True, auth_config=auth):
                lines.put(line)
            lines.put(None)
        except Exception as error:
            lines.put(error)

    threading.Thread(target=read, name=f"pull {reference}", daemon=True).start()
    last = "and nothing before that"
    while True:
        try:
            line = lines.get(timeout=stall)
        except queue.Empty as error:
            raise StoodStill(last) from error
        if line is None:
            return
        if isinstance(line, Exception):
            raise line
        last = f"the last was {line.get('status') or 'nothing'} {line.get('id') or ''}".rstrip()
        yield line


def said(error: BaseException) -> str:
    """What dockerd says of a failure, on one line.

    error: what the SDK raised.
    """
    return " ".join(str(getattr(error, "explanation", None) or error).split())[-_LONGEST:]


def found(client: Any, name: str | None) -> dict[str, Any] | None:
    """What docker tells of a container; None when there is none.

    client: of `talking`. name (str): its name or id.
    """
    if not name:
        return None
    try:
        return client.inspect_container(name)
    except NotFound:
        return None


def image_of(client: Any, container: dict[str, Any]) -> dict[str, Any]:
    """What docker tells of the image of a container.

    client: of `talking`. container (dict): as docker inspects it. Raises CommandExecutionError when the image
    is gone: what of the container came from it cannot be told then.
    """
    try:
        return client.inspect_image(container["Image"])
    except NotFound as error:
        name = container["Name"].lstrip("/")
        raise CommandExecutionError(f"{name}: docker no longer has the image that it was made of") from error


def plain_id(identity: str) -> str:
    """The id of an image or a container without the word for its hash.

    identity (str): as docker gives it.
    """
    return identity.removeprefix("sha256:")
