"""Whether this node needs a reboot, reported at the end of a state run; node states never reboot."""

from __future__ import annotations

from openstack_rollout.node import answers


def reported(name):
    """Report why this node needs a reboot, and what to run for one; nothing is done.

    name (str): any text.

    .. code-block:: yaml

        a reboot:
          reboot_needed.reported
    """
    why = __salt__["reboot_needed.evidence"]()
    if not why:
        return answers.answer(name, True, "none is needed")
    line = f"this node needs a reboot: {'; '.join(why)}"
    if __pillar__.get("openstack_rollout"):
        return answers.answer(name, True, line)
    # No run of the engine: nobody but the operator who reads this reboots the node.
    instead = "salt-run state.orchestrate orch.system drains and reboots it (openstack:system:reboot)"
    return answers.answer(name, True, line) | {"warnings": [f"{line}; {instead}"]}
