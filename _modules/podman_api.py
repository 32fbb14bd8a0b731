"""Containers that podman's API created and a unit starts by name (kolla-ansible with podman).

A carrier; the contract is in node/carriers.py. The next container is created from what podman tells of the
running one (node/podman_arguments.py), and compared before anything stops.
"""

from __future__ import annotations

from openstack_rollout.node import podman_arguments, podman_inspect, starting_units, successor


def __virtual__():
    """Only where our podman module works."""
    return ("podman.containers" in __salt__) or (False, "podman is not installed")


def carried() -> dict[str, dict]:
    """The containers that units start by name, and that podman's API created.

    Returns {container: {"unit", "engine", "image", "journal"}}.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' podman_api.carried
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
        if not one["by_command"] and name in units
    }


def prepare(container: str, image: str) -> dict:
    """Create the next container as the running one is, with another image. Touches nothing that runs.

    container (str): its name. image (str): reference with a digest; it is local.

    Returns the token. Raises NodeError DEFINITION_REFUSED or DEFINITION_CHANGED.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' podman_api.prepare keystone registry.example/keystone@sha256:…
    """
    told = podman_inspect.one(__salt__, "container", container)
    own = podman_inspect.one(__salt__, "image", told["Image"])

    def create(name: str) -> list[str]:
        return podman_arguments.of(told, own, name, image)

    return successor.prepare(__salt__, container, carried()[container]["unit"], create)


def replace(container: str, token: dict) -> None:
    """Stop the container, and have its unit start the next one.

    container (str): its name. token (dict): of `prepare`. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' podman_api.replace keystone '{…}'
    """
    successor.replace(__salt__, container, token)


def put_back(container: str, token: dict) -> None:
    """Have the previous container run again.

    container (str): its name. token (dict): of `prepare`. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' podman_api.put_back keystone '{…}'
    """
    successor.put_back(__salt__, container, token)


def accept(container: str, token: dict) -> None:
    """Remove the previous container: the next one is proven.

    container (str): its name. token (dict): of `prepare`. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' podman_api.accept keystone '{…}'
    """
    successor.accept(__salt__, container, token)


def discard(container: str, token: dict) -> None:
    """Remove what a replacement made and kept beside the container that has the name.

    container (str): its name. token (dict): of `prepare`. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' podman_api.discard keystone '{…}'
    """
    successor.discard(__salt__, container, token)
