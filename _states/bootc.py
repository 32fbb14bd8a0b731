"""The system image of a bootc host, staged for the next boot."""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import answers
from openstack_rollout.node.errors import NodeError


def staged(name, image):
    """Have this image run, or wait for the next boot. Nothing reboots.

    name (str): any text. image (str): a reference, the release's `bootc_os_container_image`.

    The reason of a failure is IMAGE_PULL_FAILED or NODE_ERROR.

    .. code-block:: yaml

        system image:
          bootc.staged:
            - image: registry.example/os@sha256:…
    """
    try:
        now = __salt__["bootc.status"]()
        if now is None:
            raise NodeError("NODE_ERROR", f"{__grains__['id']} is no bootc host")
        if now["staged"] == image:
            return answers.answer(name, True, f"{image} waits for the next boot")
        if now["booted"] == image and not now["staged"]:
            return answers.answer(name, True, f"{image} runs")
        changes = {"staged": {"old": now["staged"] or now["booted"], "new": image}}
        if __opts__["test"]:
            return answers.answer(name, None, f"{image} would be staged", changes)
        __salt__["bootc.stage"](image)
    except CommandExecutionError as error:
        return answers.failed(name, error)
    return answers.answer(name, True, f"{image} was staged, the next boot takes it", changes)
