"""The system's image of a bootc host, staged for the next boot."""

from __future__ import annotations

from salt.exceptions import CommandExecutionError


def staged(name, image):
    """Have this image run, or wait for the next boot. Nothing reboots.

    name (str): any text. image (str): a reference, the release's `os_container_image`.

    The comment of a failure is led by IMAGE_PULL_FAILED or NODE_ERROR.

    .. code-block:: yaml

        system image:
          bootc.staged:
            - image: registry.example/os@sha256:…
    """
    answer = {"name": name, "result": True, "comment": f"{image} runs", "changes": {}}
    try:
        now = __salt__["bootc.status"]()
        if now is None:
            return answer | {"result": False, "comment": "NODE_ERROR: this node is no bootc host"}
        if now["staged"] == image:
            return answer | {"comment": f"{image} waits for the next boot"}
        if now["booted"] == image and not now["staged"]:
            return answer
        changes = {"staged": {"old": now["staged"] or now["booted"], "new": image}}
        if __opts__["test"]:
            return answer | {"result": None, "comment": f"{image} would be staged", "changes": changes}
        __salt__["bootc.stage"](image)
    except CommandExecutionError as error:
        return answer | {"result": False, "comment": str(error)}
    return answer | {"comment": f"{image} was staged, the next boot takes it", "changes": changes}
