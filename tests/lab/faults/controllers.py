"""The faults of three controllers with real clusters."""

from __future__ import annotations

from collections.abc import Callable

from ..enclosure import LabError, wait_for
from ..events import step
from . import machines, masters, registries
from .matrix import Case, Fault

KEY = "infra_memcached_image"
GALERA, MESSAGES, OVN = "mariadb_image", "rabbitmq_image", "ovn_sb_dbcluster_image"
_WHOLE = 240  # seconds for a member to come back
_APPLY = step(stage="control_plane", node="ctl1", step="apply", status="started")


def member_down(node: str, container: str) -> Callable[[Case], None]:
    """A cluster lacks a member."""
    return lambda case: case.lab.exec(node, ["systemctl", "stop", f"{container}.service"], timeout=180)


def member_up(node: str, container: str) -> Callable[[Case], None]:
    """The member is back and healthy."""

    def heal(case: Case) -> None:
        case.lab.exec(node, ["systemctl", "start", f"{container}.service"], timeout=180)
        asked = ["podman", "healthcheck", "run", container]
        if not wait_for(lambda: case.lab.exec(node, asked, check=False).returncode == 0, _WHOLE, 2):
            raise LabError(f"{container} on {node} is not healthy again")

    return heal


FAULTS = (
    Fault("a member of Galera is down", ("QUORUM_AT_RISK",), member_down("ctl3", "mariadb"),
          member_up("ctl3", "mariadb"), key=GALERA, hit=("ctl3",), untouched=True),
    Fault("a member of RabbitMQ is down", ("QUORUM_AT_RISK",), member_down("ctl3", "rabbitmq"),
          member_up("ctl3", "rabbitmq"), key=MESSAGES, hit=("ctl3",), untouched=True),
    Fault("a member of OVN's database is down", ("QUORUM_AT_RISK", "OVN_NOT_CAUGHT_UP"),
          member_down("ctl3", "ovn_sb_db"), member_up("ctl3", "ovn_sb_db"), key=OVN, hit=("ctl3",),
          untouched=True),
    Fault("a controller is off", ("NODE_SILENT",), machines.plug_pulled("ctl3"),
          machines.switched_on("ctl3"), hit=("ctl3",), untouched=True),
    Fault("the registry is away", ("REGISTRY_UNREACHABLE",), registries.away, registries.back,
          untouched=True),
    Fault("an image that exits at once", ("CONTAINER_EXITED",), registries.forget_images,
          images=lambda lab: {KEY: lab.images["broken"]}),
    Fault("the plug is pulled in mid-apply", ("NODE_SILENT",), machines.plug_pulled("ctl1"),
          machines.switched_on("ctl1"), when=_APPLY, page={"policies": {"controller": {"silence": 20}}},
          hit=("ctl1",)),
    Fault("the run is killed", ("INTERRUPTED", ""), masters.run_killed, when=_APPLY),
)  # fmt: skip
