"""What is shipped for Prometheus and Grafana names metrics, labels and states that are exported."""

import json
import re
from pathlib import Path

import yaml

from openstack_rollout.errors import REASONS
from openstack_rollout.rollout.figures import NODE_STATES
from openstack_rollout.screens import metrics

CONTRIB = Path(__file__).resolve().parents[2] / "contrib"
RULES = yaml.safe_load((CONTRIB / "prometheus/openstack-rollout.rules.yml").read_text(encoding="utf-8"))
DASHBOARD = json.loads((CONTRIB / "grafana/openstack-rollout.json").read_text(encoding="utf-8"))
ADDED = {"instance"}  # by who scrapes
LABELS = {f"openstack_rollout_{name}": set(labels) for name, (_, labels) in metrics.METRICS.items()}
OF_STEPS = LABELS.pop("openstack_rollout_step_duration_seconds")
LABELS |= {f"openstack_rollout_step_duration_seconds_{part}": OF_STEPS for part in ("sum", "count")}
STATES = {
    "openstack_rollout_run_state": set(metrics.STATES),
    "openstack_rollout_nodes": set(NODE_STATES),
    "openstack_rollout_stage_state": {"running", "done", "skipped", "paused", "incomplete", "aborted"},
}


def of_rules():
    return [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]


def of_dashboard():
    found = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    variables = [one["query"]["query"] for one in DASHBOARD["templating"]["list"] if one["type"] == "query"]
    return found + [re.sub(r"label_values\((\w+), (\w+)\)", r'\1{\2=~".*"}', one) for one in variables]


def test_every_metric_label_and_state_that_is_named_is_exported():
    expressions = [*of_rules(), *of_dashboard()]
    for expression in expressions:
        named = re.findall(r"openstack_rollout_\w+", expression)
        assert named and set(named) <= LABELS.keys(), expression
        for metric, selector in re.findall(r"(openstack_rollout_\w+){([^}]*)}", expression):
            for label, value in re.findall(r'(\w+)\s*=~?\s*"([^"]*)"', selector):
                assert label in LABELS[metric] | ADDED, (metric, label)
                if label == "state":
                    assert set(value.split("|")) <= STATES[metric], (metric, value)
                if label == "reason":
                    assert set(value.split("|")) <= REASONS.keys(), value
        by = {
            label for some in re.findall(r"(?:by|on) \(([^)]*)\)", expression) for label in some.split(", ")
        }
        assert by <= ADDED.union(*(LABELS[name] for name in named)), expression
    shown = {name for one in of_dashboard() for name in re.findall(r"openstack_rollout_\w+", one)}
    hidden = {"run_end_timestamp_seconds", "metrics_timestamp_seconds"}
    assert shown == LABELS.keys() - {f"openstack_rollout_{one}" for one in hidden}


def test_every_alert_has_what_a_reader_needs():
    rules = [rule for group in RULES["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_panels_of_the_dashboard_are_apart_and_its_sources_are_variables():
    seen = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert not cells & seen and place["x"] + place["w"] <= 24, panel["title"]
        seen |= cells
        assert {one["datasource"]["uid"] for one in [panel, *panel["targets"]]} == {"${datasource}"}
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
