"""The latest run as metrics: OpenMetrics' text, as node exporter's textfile collector reads it too.

Only gauges and summaries: what that collector does not know is not used. This file alone needs
prometheus-client, and rollout.metrics alone imports it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.openmetrics.exposition import generate_latest

PREFIX = "openstack_rollout"
#: Every metric: its name without the prefix → what it tells, and its labels.
METRICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "run_info": (
        "The latest run, and the one that it undoes; the value is always 1.",
        ("run", "orchestration", "target", "rollback"),
    ),
    "run_state": ("1 for the state of the latest run, 0 for the others.", ("state",)),
    "run_reason": ("1 for the reason under which the latest run stopped, where it has one.", ("reason",)),
    "run_start_timestamp_seconds": ("When the latest run was opened.", ()),
    "run_end_timestamp_seconds": ("When the latest run stopped, where nobody works on it.", ()),
    "run_remaining_seconds": ("How long the rest of a run takes that is under way, as estimated.", ()),
    "stage_state": ("1 for the state of each stage that was begun.", ("stage", "state")),
    "nodes": ("Nodes of the latest run.", ("role", "state")),
    "step_duration_seconds": ("Steps of the latest run that were done.", ("stage", "step", "role")),
    "failures": ("Steps of the latest run that failed, those too that were taken again.", ("reason", "role")),
    "last_event_timestamp_seconds": ("When the latest run wrote anything down last.", ()),
    "drained_nodes": ("Nodes whose workloads are away, of whatever run, or by hand.", ("role",)),
    "deployed_nodes": ("Nodes by the release that the latest run measured them at.", ("role", "release")),
    "metrics_timestamp_seconds": ("When these metrics were made.", ()),
}
_OF_RUN = ("id", "orchestration", "target", "rollback")  # as the labels of run_info
#: States of a run.
STATES = (
    *("running", "paused", "completed", "completed_with_open_ends", "incomplete", "aborted"),
    "interrupted",
)


def render(figures: Mapping[str, Any], now: float) -> str:
    """The text of the metrics. figures: of rollout.figures. now (float): seconds since the epoch."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(figures, now))
    return generate_latest(registry).decode("utf-8")


class _Collector:
    def __init__(self, figures: Mapping[str, Any], now: float):
        self._figures = figures
        self._now = now

    def collect(self) -> Iterator[Metric]:
        values = dict(_values(self._figures, self._now))
        for name, (says, labels) in METRICS.items():
            family = _family(f"{PREFIX}_{name}", says, labels, values[name])
            if family.samples:
                yield family


def _family(name: str, says: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], Any]) -> Metric:
    """A metric; a pair of how many and their sum makes it a summary."""
    if any(isinstance(value, tuple) for value in values.values()):
        summary = SummaryMetricFamily(name, says, labels=labels)
        for of, (count, total) in values.items():
            summary.add_metric(of, count_value=count, sum_value=round(total, 3))
        return summary
    gauge = GaugeMetricFamily(name, says, labels=labels)
    for of, value in values.items():
        gauge.add_metric(of, value)
    return gauge


def _values(figures: Mapping[str, Any], now: float) -> Iterator[tuple[str, dict[tuple[str, ...], Any]]]:
    """Each metric with its values, by the values of its labels."""
    run = figures["run"]
    told = run or {"state": "", "reason": "", "created": None, "ended": None, "remaining": None}
    yield "run_info", {tuple(run[label] for label in _OF_RUN): 1} if run else {}
    yield "run_state", {(state,): int(state == told["state"]) for state in STATES}
    yield "run_reason", {(told["reason"],): 1} if told["reason"] else {}
    yield "run_start_timestamp_seconds", _one(told["created"])
    yield "run_end_timestamp_seconds", _one(told["ended"])
    yield "run_remaining_seconds", _one(told["remaining"])
    yield "stage_state", dict.fromkeys(figures["stages"].items(), 1)
    yield "nodes", figures["nodes"]
    yield "step_duration_seconds", figures["steps"]
    yield "failures", figures["failures"]
    yield "last_event_timestamp_seconds", _one(figures["last"])
    yield "drained_nodes", {(role,): count for role, count in figures["drained"].items()}
    yield "deployed_nodes", figures["releases"]
    yield "metrics_timestamp_seconds", _one(now)


def _one(value: float | None) -> dict[tuple[str, ...], float]:
    return {} if value is None else {(): value}
