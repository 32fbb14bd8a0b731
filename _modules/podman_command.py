"""Containers that podman's command line created and a unit starts by name (TripleO, EDPM up to FR6).

A carrier; the contract is in node/carriers.py. podman keeps the whole command line (`Config.CreateCommand`),
so the next container is created by the same one with another image, and compared before anything stops.
"""

from __future__ import annotations

import re

from openstack_rollout.node import podman_inspect, starting_units, successor
from openstack_rollout.node.errors import NodeError

# Options of `podman run` that `podman create` does not have; the first ones have no value.
_RUN_ALONE = ("--detach", "-d", "--sig-proxy", "--passwd")
_CLUSTER = re.compile(r"-[itqP]*d[itqP]*")
_RUN_VALUES = ("--detach-keys", "--preserve-fds", "--preserve-fd")


def __virtual__():
    """Only where our podman module works."""
    return ("podman.containers" in __salt__) or (False, "podman is not installed")


def carried() -> dict[str, dict]:
    """The containers that units start by name, and that podman's command line created.

    Returns {container: {"unit", "engine", "image", "journal"}}.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' podman_command.carried
    """
    units, there = starting_units.of(__salt__, "podman"), __salt__["podman.containers"](known=True)
    return {
        name: {
            "unit": units[name],
            "engine": successor.ENGINE,
            "image": one["image"],
            "journal": False,
        }
        for name, one in there.items()
        if one["by_command"] and name in units
    }


def prepare(container: str, image: str) -> dict:
    """Create the next container by the same command with another image. Touches nothing that runs.

    container (str): its name. image (str): reference with a digest; it is local.

    Returns the token. Raises NodeError DEFINITION_REFUSED or DEFINITION_CHANGED.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' podman_command.prepare keystone registry.example/keystone@sha256:…
    """
    told = podman_inspect.one(__salt__, "container", container)
    command = [str(one) for one in told["Config"]["CreateCommand"]]
    names = (told.get("ImageName"), told["Config"].get("Image"), told["Image"], told["Image"][:12])

    def create(name: str) -> list[str]:
        return _again(container, command, names, name, image)

    return successor.prepare(__salt__, container, carried()[container]["unit"], create)


def replace(container: str, token: dict) -> None:
    """Stop the container, and have its unit start the next one.

    container (str): its name. token (dict): of `prepare`. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' podman_command.replace keystone '{…}'
    """
    successor.replace(__salt__, container, token)


def put_back(container: str, token: dict) -> None:
    """Have the previous container run again.

    container (str): its name. token (dict): of `prepare`. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' podman_command.put_back keystone '{…}'
    """
    successor.put_back(__salt__, container, token)


def accept(container: str, token: dict) -> None:
    """Remove the previous container: the next one is proven.

    container (str): its name. token (dict): of `prepare`. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' podman_command.accept keystone '{…}'
    """
    successor.accept(__salt__, container, token)


def discard(container: str, token: dict) -> None:
    """Remove what a replacement made and kept beside the container that has the name.

    container (str): its name. token (dict): of `prepare`. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' podman_command.discard keystone '{…}'
    """
    successor.discard(__salt__, container, token)


def _again(container: str, command: list[str], names: tuple, name: str, image: str) -> list[str]:
    """podman's arguments that create the same container under another name, with another image."""
    try:
        verb = next(i for i, word in enumerate(command) if word in ("run", "create"))
        place = next(i for i, word in enumerate(command) if i > verb and word in names)
    except StopIteration:
        raise NodeError(
            "DEFINITION_REFUSED", f"{container}: its create command names no image that podman knows it by"
        ) from None
    options = _renamed(command[verb + 1 : place], name)
    # Options of podman itself (--root, --log-level) stand before the verb.
    before = [word for word in command[1:verb] if word != "container"]
    return [*before, "create", *options, image, *command[place + 1 :]]


def _renamed(options: list[str], name: str) -> list[str]:
    """The options of `podman run` as `podman create` has them, with another name."""
    found, words = [f"--name={name}"], iter(options)
    for word in words:
        if word == "--name" or word in _RUN_VALUES:
            next(words, None)
        elif word.startswith("--name=") or word.partition("=")[0] in (*_RUN_ALONE, *_RUN_VALUES, "--replace"):
            continue
        elif _CLUSTER.fullmatch(word):
            found += [f"-{rest}"] if (rest := word[1:].replace("d", "")) else []
        else:
            found.append(word)
    return found
