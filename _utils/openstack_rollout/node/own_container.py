"""A container of ours: why it has to be started anew, and whether its next unit would start at all.

All of it is asked before anything is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from openstack_rollout.node import carriers, commands, engines, storage
from openstack_rollout.node.errors import NodeError

_UNIT = "PODMAN_SYSTEMD_UNIT"  # the label of what a quadlet runs
# Folders of which a unit file goes before a generator's, and that of the generators (systemd.unit(5)).
_BEFORE, _GENERATED = ("/etc/systemd/", "/run/systemd/"), "/run/systemd/generator/"


def reasons(  # noqa: PLR0917 - what is wanted, and what is
    salt: Mapping[str, Any],
    container: str,
    image: str,
    wanted: Mapping[str, str],
    now: Mapping | None,
    copies: Callable[[], bool] = lambda: False,
) -> list[str]:
    """Why a container has to be started anew, [] when it is what the node wants.

    salt (dict): the caller's `__salt__`. container, image (str): its name, and the image that it has to run.
    wanted (dict): as quadlet.render gives it. now (dict): as podman.containers tells of it, None without one.
    copies: whether an unhealthy one copies what it needs, and is to be left alone.
    """
    if now is None:
        return ["it does not exist"]
    found = []
    image_id = salt["podman.image_ids"]([image], known=True).get(image)
    if image_id is None or now["image_id"] != image_id:
        found.append("its image differs")
    label = now["labels"].get(salt["quadlet.label"]())
    if label != wanted["fingerprint"] or salt["quadlet.read"](container) != wanted["text"]:
        found.append("its arguments or configuration differ")
    if not now["running"]:
        found.append("it does not run")
    elif now["healthy"] is False and not copies():
        found.append("it is unhealthy")
    return found


def found(
    salt: Mapping[str, Any], container: str, legacy_units: Collection[str]
) -> tuple[dict | None, list[str]]:
    """A container of ours, as podman.containers tells of it, None without one; and those units of earlier
    installers that are here.

    salt, container: as for `reasons`. legacy_units (list): names. Raises NodeError DEFINITION_REFUSED without
    podman, CONTAINER_FOREIGN.
    """
    if "podman.containers" not in salt:
        raise NodeError("DEFINITION_REFUSED", f"{container}: a container of ours needs podman, install it")
    legacy = salt["legacy_unit.present"](legacy_units)
    now = salt["podman.container"](container, known=True)
    refuse_foreign(salt, container, now or engines.containers(salt, known=True).get(container), legacy)
    return now, legacy


def refuse_foreign(
    salt: Mapping[str, Any], container: str, now: Mapping[str, Any] | None, legacy: Collection[str]
) -> None:
    """Raise NodeError CONTAINER_FOREIGN where a container, quadlet or unit of the name is another's.

    salt, container: as for `reasons`. now (dict): as an engine tells of the container, None without one.
    legacy (list): the units of earlier installers that are here.
    """
    text = salt["quadlet.read"](container)
    if text is not None and not text.startswith(salt["quadlet.header"]()):
        raise _foreign(container, f"the quadlet {salt['quadlet.path'](container)}")
    if container not in legacy and salt["legacy_unit.present"]([container]):
        raise _foreign(container, f"the unit {container}.service")
    if now is None or salt["quadlet.label"]() in now["labels"]:
        return
    if text is not None and now["labels"].get(_UNIT) == f"{container}.service":
        return
    unit = (carriers.carried(salt).get(container) or {}).get("unit")
    if unit not in {f"{one}.service" for one in legacy}:
        raise _foreign(container, f"the container, of {unit or 'nobody who is known here'}")


def prove(salt: Mapping[str, Any], container: str, text: str, legacy: Collection[str] = ()) -> None:
    """Make sure that a quadlet of this text would become the unit that starts the container.

    salt, container: as for `reasons`. text (str): as quadlet.render gives it. legacy (list): units of earlier
    installers that go. Raises NodeError: UNIT_MASKED, CONTAINER_FOREIGN where another unit file takes its
    place, DEFINITION_REFUSED with the generator's line, DISK_FULL where there is no room to write it.
    """
    if container not in legacy:
        require_own_unit(salt, container, f"{container}.service")
    salt["quadlet.prove"](container, text)
    storage.require_writable()


def require_own_unit(salt: Mapping[str, Any], container: str, unit: str) -> None:
    """Make sure that systemd would start a container's unit, and none but that of its quadlet.

    salt, container: as for `reasons`. unit (str): its name. Raises NodeError UNIT_MASKED or
    CONTAINER_FOREIGN.
    """
    told = commands.checked(salt, ["systemctl", "show", unit, "--property=LoadState,FragmentPath"])
    is_now = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    if is_now.get("LoadState") == "masked":
        raise NodeError("UNIT_MASKED", f"{container} is left as it is: {unit} is masked")
    fragment = is_now.get("FragmentPath", "")
    if fragment.startswith(_BEFORE) and not fragment.startswith(_GENERATED):
        raise _foreign(container, f"{fragment}, which takes the place of its quadlet's unit,")


def _foreign(container: str, what: str) -> NodeError:
    return NodeError("CONTAINER_FOREIGN", f"{container}: {what} is there already, and is not ours")
