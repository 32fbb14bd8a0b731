"""Roles: the four that are known, and the operator's own, each with its plane.

A role of the operator's own goes as a known one does: through the same stages, right after it, with a policy
of the same keys. One of the control plane goes as controllers; one of the data plane as storage nodes, or as
the role that it is like.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, GetJsonSchemaHandler, PlainValidator, ValidationInfo
from pydantic import WithJsonSchema as JsonSchema
from pydantic_core import CoreSchema

from openstack_rollout.declared.base import Strict
from openstack_rollout.declared.names import NAME, TARGET, RoleName, Target
from openstack_rollout.declared.problems import Path, Wrong, not_a_string, raise_all, shown, suggestion
from openstack_rollout.vocabulary import MOST_ROLES, ROLES

CONTROLLER = "controller"
#: The role that those of the data plane are like which say nothing else.
_PLAIN = "storage"
_OWN = "A role of your own says its plane: {target: ..., plane: control_plane or data_plane}"


class Role(Strict):
    """The nodes of a role, and of one of the operator's own its plane."""

    target: Target
    """Which minions have it: a compound target."""
    plane: Literal["control_plane", "data_plane"] | None = None
    """The plane of a role of your own. control_plane: its nodes go one at a time, as controllers and after
    them."""
    like: Literal["gateway", "compute"] | None = None
    """The role whose drains and policy keys a role of your own has, and after which it goes; without it, one
    of the data plane goes after storage, and has its policy keys."""


class _TargetOrMapping:
    """A role as the pillar has it: its target alone, or a mapping."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        target = {"type": "string", "pattern": f"^{TARGET.pattern}$", "maxLength": TARGET.longest}
        return {"anyOf": [target, handler(schema)]}


def _entry(value: Any) -> Any:
    if isinstance(value, Mapping | Role):
        return value
    text = TARGET.problem(value) if isinstance(value, str) else not_a_string(value)
    raise_all([((), text)] if text else [])
    return Role.model_construct(target=value)


def _of_the_right_kind(roles: dict[str, Role]) -> dict[str, Role]:
    lines: list[tuple[Path, str]] = []
    if len(roles) > MOST_ROLES:
        lines.append(((), f"has {len(roles)} roles, {MOST_ROLES} are allowed"))
    for name, role in roles.items():
        if name in ROLES:
            said = [key for key in ("plane", "like") if getattr(role, key) is not None]
            lines += [((name, key), f"{name} is a known role: its target is all to say") for key in said]
        elif role.plane is None:
            lines.append(((name,), f"unknown role{suggestion(name, ROLES) or '.'} {_OWN}"))
        elif role.plane == "control_plane" and role.like:
            lines.append(((name, "like"), "is for roles of the data plane, others go as controllers"))
    raise_all(lines)
    return roles


def _known(value: Any, info: ValidationInfo) -> str:
    own = (info.context or {}).get("roles")
    if own is None and isinstance(value, str) and not NAME.problem(value):
        return value  # nothing is known of the pillar's other parts
    known = [*ROLES, *(own or ())]
    if not isinstance(value, str) or value not in known:
        raise Wrong(f"{shown(value)} is not one of {', '.join(known)}{suggestion(value, known)}")
    return value


Roles = Annotated[
    dict[RoleName, Annotated[Role, BeforeValidator(_entry), _TargetOrMapping()]],
    AfterValidator(_of_the_right_kind),
]
#: The name of a role, where a service says where it runs.
KnownRole = Annotated[
    str, PlainValidator(_known), JsonSchema({"type": "string", "pattern": f"^{NAME.pattern}$"})
]


def own(roles: Any) -> dict[str, None]:
    """The names of the operator's own roles in a pillar that was not checked yet, for names.Defined."""
    found = roles.items() if isinstance(roles, Mapping) else ()
    return dict.fromkeys(
        name
        for name, role in found
        if isinstance(name, str) and isinstance(role, Mapping) and name not in ROLES
    )


def base(name: str, roles: Mapping[str, Role]) -> str:
    """The known role as which a role goes; itself, where nothing is declared of it."""
    role = roles.get(name)
    if name in ROLES or role is None:
        return name
    return CONTROLLER if role.plane == "control_plane" else role.like or _PLAIN


def in_order(known: Iterable[str], roles: Mapping[str, Role]) -> list[str]:
    """Known roles, each with the operator's own that go as it does after it, as they are declared."""
    return [
        name
        for one in known
        for name in (one, *(other for other in roles if other != one and base(other, roles) == one))
    ]
