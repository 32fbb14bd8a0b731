"""Alerts that nodes are expected to cause while they are in flight, as the policies of their roles say."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BeforeValidator, model_validator

from openstack_rollout.declared.base import Strict, without_nulls
from openstack_rollout.declared.matchers import Matcher, Matchers
from openstack_rollout.declared.names import WholeNumber, Word
from openstack_rollout.declared.problems import Path, Wrong, raise_all
from openstack_rollout.vocabulary import Stage

if TYPE_CHECKING:
    from openstack_rollout.declared.monitoring import Monitoring
    from openstack_rollout.declared.policies import Policies

#: What stands for the node in a matcher: its minion id, and that up to the first dot.
PLACES = ("{node}", "{host}")
_MOST = 20  # of a role
#: Nodes, and what would be silenced with them by a pattern that is no node's alone; an alert of no node.
_NODES = ("node1", "node1.example.org")
_OTHERS = ("node10", "node2", "node10.example.org", "node2.example.org:9100", "node10:9100")
_NOBODYS = "NobodyExpectsThis"


def names_node(matcher: Matcher) -> bool:
    """Whether a matcher has a place for a node, and is right for that node alone."""
    return _has_place(matcher) and not _other(matcher)


def _has_place(matcher: Matcher) -> bool:
    return matcher.operator in ("=", "=~") and any(place in matcher.value for place in PLACES)


def _other(matcher: Matcher) -> str:
    """A node that is none of those for which a matcher is made, and that it is right for; "" for none."""
    right = (one for node in _NODES for one in _OTHERS if _matches(of_node(matcher, node), one))
    return next(right, "")


def _matches(matcher: Matcher, value: str) -> bool:
    """Whether a matcher is right for a value, as far as Python reads the pattern as Alertmanager does."""
    if not matcher.operator.endswith("~"):
        return matcher.value == value
    try:
        with warnings.catch_warnings(action="ignore"):
            return re.fullmatch(matcher.value, value) is not None
    except re.error:
        return False


def of_node(matcher: Matcher, node: str) -> Matcher:
    """A matcher of one node (its id), which stands for itself in a pattern, too."""
    value = matcher.value
    for place, name in zip(PLACES, (node, node.partition(".")[0]), strict=True):
        value = value.replace(place, re.escape(name) if matcher.operator.endswith("~") else name)
    return matcher._replace(value=value)


class Silence(Strict):
    """Alerts that a node is expected to cause: silenced in Alertmanager while it is in flight, and no
    others."""

    matchers: Matchers
    """Matchers of Alertmanager. One of them is that of the node, with {node} (its minion id) or {host} (that
    up to the first dot) in its value, such as instance=~"{host}(:[0-9]+)?"; the others are those of the
    alerts."""
    stages: list[Stage] | None = None
    """The stages in which nodes are expected to cause them; all by default."""
    ends_within: Annotated[int, WholeNumber(10, 86_400)] = 300
    """Seconds after which a silence ends by itself. It is prolonged while its node is in flight."""
    linger: Annotated[int, WholeNumber(0, 3600)] = 0
    """Seconds that it stays when its node is done: for the alerts that take as long to resolve."""

    @model_validator(mode="after")
    def _of_a_node(self) -> Silence:
        places = " or ".join(PLACES)
        placed = [one for one in self.matchers if _has_place(one)]
        text = ""
        if not placed:
            text = f"none is that of the node: give one with = or =~ and {places} in its value"
        elif not any(names_node(one) for one in placed):
            text = (
                f"{placed[0].text} is right for those of other nodes, too, such as {_other(placed[0])}:"
                " give what may stand beside the name, such as {host}(:[0-9]+)?"
            )
        elif not any(
            one.operator in ("=", "=~") and not _has_place(one) and not _matches(one, _NOBODYS)
            for one in self.matchers
        ):
            text = 'every alert of the node would be silenced: give those that it causes, alertname=~"…"'
            text = text.replace("…", "HostDown|AgentDown")
        if text:
            raise Wrong(text, lines=[(("matchers",), text)])
        return self


def _few(value: dict[str, Silence]) -> dict[str, Silence]:
    if len(value) > _MOST:
        raise Wrong(f"has {len(value)} entries, {_MOST} are allowed")
    return value


def refuse_unasked(policies: Policies, monitoring: Monitoring) -> None:
    """Raise Wrong for silences of roles where no Alertmanager is declared."""
    raise_all([] if monitoring.alertmanager else list(_unasked(policies)))


def _unasked(policies: Policies) -> Iterator[tuple[Path, str]]:
    for role in policies.roles:
        for name in policies.of(role).alert_silences:
            text = "nothing can be silenced: give openstack:monitoring:alertmanager"
            yield (role, "alert_silences", name), text


Silences = Annotated[dict[Word, Silence], BeforeValidator(without_nulls), AfterValidator(_few)]
