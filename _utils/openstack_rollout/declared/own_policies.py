"""The policies of the operator's own roles: each has the keys of the known role as which it goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ValidationError, ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator

from openstack_rollout.declared import gates, roles, silences, translation
from openstack_rollout.declared.base import without_nulls
from openstack_rollout.declared.policies import Policies, Policy
from openstack_rollout.declared.problems import Path, raise_all, shown, suggestion
from openstack_rollout.vocabulary import ROLES


def _with_own(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Policies:
    """The policies, with one for each of the operator's own roles. Raises Wrong."""
    declared = info.data.get("roles") or {}
    own = [name for name in declared if name not in ROLES]
    if not own:
        return _in_known_zones(handler(value), info)
    said = without_nulls(value) if isinstance(value, Mapping) else {}
    lines: list[tuple[Path, str]] = []
    found: dict[str, Policy] = {}
    for name in own:
        kind = Policies.kind(roles.base(name, declared))
        try:
            found[name] = kind.model_validate(said.get(name, {}))
        except ValidationError as error:
            lines += [((name, *place), text) for place, text in translation.problems(error, kind)]
    try:
        known = {key: one for key, one in said.items() if key not in own}
        policies: Policies = handler(known if isinstance(value, Mapping) else value)
    except ValidationError as error:
        lines = [*translation.problems(error, Policies), *lines]
    raise_all(lines)
    return _in_known_zones(policies.with_own(found), info)


def _in_known_zones(policies: Policies, info: ValidationInfo) -> Policies:
    """The policies, whose groups that are zones are some. Raises Wrong."""
    zones = info.data.get("zones") or {}
    lines: list[tuple[Path, str]] = []
    for role in policies.roles if "zones" in info.data else ():  # which are wrong themselves where not
        for name, target in policies.of(role).groups.items():
            if not target and name not in zones:
                near = suggestion(name, zones) or ": give it with its target, as a mapping"
                lines.append(((role, "groups"), f"{shown(name)} is no zone of openstack:zones{near}"))
    raise_all(lines)
    if "monitoring" in info.data:
        gates.refuse_unasked(policies, info.data["monitoring"])
        silences.refuse_unasked(policies, info.data["monitoring"])
    return policies


PoliciesOfRoles = Annotated[Policies, WrapValidator(_with_own)]
