"""What the metadata of host aggregates forbids a server, by the rules of Nova's scheduler.

No API tells which of these rules a cloud's scheduler has switched on. One that the server's own host already
breaks is not: it counts for no other host either.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping, Sequence

from openstack_rollout.cloud.nova import Aggregate, Server

_SCOPE = "aggregate_instance_extra_specs:"
_TENANTS = "filter_tenant_id"
_TRAIT = "trait:"

Values = dict[str, set[str]]
#: Server, properties of its image, metadata of a host's aggregates -> why not; "" where it is allowed.
Rule = Callable[[Server, Mapping[str, object], Values], str]


def objection(
    server: Server,
    image: Mapping[str, object],
    here: Collection[Aggregate],
    there: Collection[Aggregate],
) -> str:
    """Why a host's aggregates do not take a server, to be read after the host's name; "" if they do.

    image: properties of the server's image. here: the aggregates of its host. there: those of the other host.
    """
    found = _values(there)
    for rule in _RULES:
        why = rule(server, image, found)
        if why and not rule(server, image, _values(here)):
            return why
    return ""


def is_doubtful(
    server: Server, here: Collection[Aggregate], there: Collection[Aggregate], every: Collection[Aggregate]
) -> bool:
    """Whether it depends on the cloud's settings that a host may take a server. Arguments as of `objection`.

    every: all aggregates of the cloud. Doubtful are hosts outside the aggregates that a project is named for
    (limit_tenants_to_placement_aggregate), and extra specs without a scope that no aggregate there answers.
    """
    inside = [one.name for one in every if server.project in _tenants(_values([one]))]
    if any(one.name in inside for one in here) and not any(one.name in inside for one in there):
        return True
    plain = {key: wanted for key, wanted in server.specs.items() if ":" not in key}
    return bool(_unanswered(plain, _values(there))) and not _unanswered(plain, _values(here))


def _values(aggregates: Collection[Aggregate]) -> Values:
    """Key -> values of a host's aggregates, as Nova reads them: separated by commas."""
    found: Values = {}
    for one in aggregates:
        for key, value in one.metadata.items():
            found.setdefault(key, set()).update(part.strip() for part in str(value).split(","))
    return found


def _tenants(values: Values) -> set[str]:
    return {one for key, some in values.items() if key.startswith(_TENANTS) for one in some}


def _extra_specs(server: Server, image: Mapping[str, object], values: Values) -> str:
    wanted = {key.removeprefix(_SCOPE): spec for key, spec in server.specs.items() if key.startswith(_SCOPE)}
    lacking = _unanswered(wanted, values)
    return f"is in no aggregate with {', '.join(lacking)}" if lacking else ""


def _unanswered(wanted: Mapping[str, str], values: Values) -> list[str]:
    """Those of some extra specs (key -> what is wanted) that no metadata answers, as `key=wanted`."""
    return [
        f"{key}={spec}"
        for key, spec in sorted(wanted.items())
        if not any(matches(value, spec) for value in values.get(key, ()))
    ]


def _isolated_tenants(server: Server, image: Mapping[str, object], values: Values) -> str:
    tenants = _tenants(values)
    return "is kept for other projects" if tenants and server.project not in tenants else ""


def _isolated_images(server: Server, image: Mapping[str, object], values: Values) -> str:
    wrong = sorted(key for key in values if image.get(key) and str(image[key]) not in values[key])
    return f"is kept for other images ({', '.join(wrong)})" if wrong else ""


def _isolated_traits(server: Server, image: Mapping[str, object], values: Values) -> str:
    required = {key for key, value in {**image, **server.specs}.items() if value == "required"}
    kept = sorted(key for key, some in values.items() if key.startswith(_TRAIT) and "required" in some)
    lacking = [key for key in kept if key not in required]
    return f"is kept for servers with {', '.join(lacking)}" if lacking else ""


def _isolated_flavors(server: Server, image: Mapping[str, object], values: Values) -> str:
    flavors = values.get("instance_type")
    return "is kept for other flavors" if flavors and server.flavor not in flavors else ""


_RULES: Sequence[Rule] = (
    _extra_specs,
    _isolated_tenants,
    _isolated_images,
    _isolated_traits,
    _isolated_flavors,
)

_NUMBERS: Mapping[str, Callable[[float, float], bool]] = {
    "=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
}
_TEXTS: Mapping[str, Callable[[str, str], bool]] = {
    "<in>": lambda value, word: word in value,
    "s==": operator.eq,
    "s!=": operator.ne,
    "s<": operator.lt,
    "s<=": operator.le,
    "s>": operator.gt,
    "s>=": operator.ge,
}


def matches(value: str, wanted: str) -> bool:
    """Whether a value of an aggregate's metadata is what an extra spec wants, in Nova's grammar of it.

    wanted (str): a text, or an operator and its operands, e.g. `>= 4` or `<or> a <or> b`.
    """
    first, *words = wanted.split() or [""]
    if first == "<or>":
        return value in words[::2]
    if first == "<all-in>":
        return bool(words) and all(word in value for word in words)
    if first in _TEXTS:
        return bool(words) and _TEXTS[first](value, words[0])
    if first in _NUMBERS:
        try:
            return bool(words) and _NUMBERS[first](float(value), float(words[0]))
        except ValueError:
            return False
    return value == wanted
