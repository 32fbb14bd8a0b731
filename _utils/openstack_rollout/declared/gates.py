"""What has to hold before nodes go, as a cloud's own monitoring sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainValidator, WithJsonSchema, model_validator

from openstack_rollout.declared.base import Strict, without_nulls
from openstack_rollout.declared.matchers import Matchers
from openstack_rollout.declared.names import Text, WholeNumber, Word, printed
from openstack_rollout.declared.problems import Path, Wrong, finite, not_a, raise_all

if TYPE_CHECKING:
    from openstack_rollout.declared.monitoring import Monitoring
    from openstack_rollout.declared.policies import Policies

_MOST = 20  # gates of a role


def _bound(value: Any) -> float:
    if (number := finite(value)) is not None:
        return number
    hint = ""
    if isinstance(value, str):
        hint = "; write it without quotes, and without an exponent: YAML reads 1e-3 as text"
    raise Wrong(not_a("a number", value) + hint)


Bound = Annotated[float, PlainValidator(_bound), WithJsonSchema({"type": "number"})]
Query = Annotated[str, Text(r"[^\x00]+", "has a NUL in it", 2000, printed)]


class Gate(Strict):
    """A query of Prometheus, or alerts of Alertmanager: while it fails, no node starts."""

    query: Query | None = None
    """An instant query of Prometheus (PromQL). Every series of its answer has to be within the bounds; none,
    or one that is NaN, tells nothing."""
    at_least: Bound | None = None
    """The least value that is good."""
    at_most: Bound | None = None
    """The highest value that is good."""
    alerts: Matchers | None = None
    """In place of a query: matchers of Alertmanager, such as severity="critical". The gate fails while an
    alert fires that has all of them."""
    watchdog: Matchers | None = None
    """Matchers of an alert that always fires (alertname="Watchdog"). While it does not, nobody knows of the
    others: the gate tells nothing."""
    silenced: bool = False
    """Whether alerts count that are silenced in Alertmanager."""
    inhibited: bool = False
    """Whether alerts count that another alert inhibits."""
    interval: Annotated[int, WholeNumber(1, 3600)] = 15
    """Seconds from one time that it is asked to the next; for as long, an answer stays good."""
    consecutive_success: Annotated[int, WholeNumber(1, 100)] = 1
    """How often it has to succeed in a row."""
    failure_limit: Annotated[int, WholeNumber(0, 100)] = 0
    """How often it may fail, each time that it is asked, before no other node starts."""
    timeout: Annotated[int, WholeNumber(1, 86_400)] = 60
    """Seconds in which it has to succeed. A gate that tells nothing until then pauses the run."""

    @model_validator(mode="after")
    def _one_kind(self) -> Gate:
        lines: list[tuple[Path, str]] = []
        bounds = {"at_least": self.at_least, "at_most": self.at_most}
        if (self.query is None) == (self.alerts is None):
            raise Wrong("needs either a query or alerts")
        if self.query is not None:
            if all(one is None for one in bounds.values()):
                lines.append(((), "needs at_least or at_most: which values of its query are good"))
            elif self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
                lines.append((("at_most",), f"is less than at_least ({self.at_least:g}): nothing is good"))
            of_others = {"watchdog", "silenced", "inhibited"}
            why = "is of alerts, not of a query: leave it out"
        else:
            of_others, why = {"at_least", "at_most"}, "is of a query, not of alerts: leave it out"
        lines += [((key,), why) for key in sorted(of_others & self.model_fields_set)]
        needs = self.interval * max(self.consecutive_success - 1, self.failure_limit)
        if needs > self.timeout:
            text = f"{self.timeout} is too short to be asked as often as it says: give {needs} or more"
            lines.append((("timeout",), text))
        raise_all(lines)
        return self


def _few(value: dict[str, Any]) -> dict[str, Any]:
    if len(value) > _MOST:
        raise Wrong(f"has {len(value)} entries, {_MOST} are allowed")
    return value


def refuse_unasked(policies: Policies, monitoring: Monitoring) -> None:
    """Raise Wrong for gates of roles for which no server is declared that could be asked."""
    raise_all(list(_unasked(policies, monitoring)))


def _unasked(policies: Policies, monitoring: Monitoring) -> Iterator[tuple[Path, str]]:
    for role in policies.roles:
        for name, gate in policies.of(role).gates.items():
            server = "prometheus" if gate.query is not None else "alertmanager"
            if getattr(monitoring, server) is None:
                yield (role, "gates", name), f"nobody can be asked: give openstack:monitoring:{server}"


Gates = Annotated[dict[Word, Gate], BeforeValidator(without_nulls), AfterValidator(_few)]
