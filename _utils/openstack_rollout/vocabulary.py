"""The words that every room uses: stages and roles, in their order."""

from __future__ import annotations

from typing import Literal, get_args

Stage = Literal["ovn", "control_plane", "services", "ovs", "system"]
ServiceStage = Literal["ovn", "control_plane", "services"]
Role = Literal["controller", "gateway", "compute", "storage"]

STAGES: tuple[str, ...] = get_args(Stage)
#: Stages that move services; the others move packages alone.
SERVICE_STAGES: tuple[str, ...] = get_args(ServiceStage)
ROLES: tuple[str, ...] = get_args(Role)
