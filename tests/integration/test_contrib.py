"""What is shipped for Prometheus and Grafana, by Prometheus' own promtool.

Alerts fire when they should, and at no other time; every expression of the dashboard is one.
"""

from __future__ import annotations

import subprocess

import pytest
import yaml

from tests.unit.test_contrib import CONTRIB, of_dashboard

SHIPPED = CONTRIB / "prometheus/openstack-rollout.rules.yml"
GRAFANAS = {"$__rate_interval": "5m", "$__range": "1h", "$__interval": "1m"}
HOUR = 60  # minutes


def promtool(*arguments):
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


def state(name, label="state", metric="run_state", value="1x200", role=""):
    role = f', role="{role}"' if role else ""
    return {"series": f'openstack_rollout_{metric}{{instance="m1", {label}="{name}"{role}}}', "values": value}


def alone(name, value):
    return {"series": f'openstack_rollout_{name}{{instance="m1"}}', "values": value}


#: Alert → the series that a run has, the minute at which it fires, and one at which it does not yet.
FIRES = {
    "OpenstackRolloutPaused": ([state("paused"), state("NODE_SILENT", "reason", "run_reason")], 1, 0),
    "OpenstackRolloutInterrupted": ([state("interrupted")], 2, 1),
    "OpenstackRolloutIncomplete": ([state("incomplete", value="0 0 1x9")], 2, 1),
    "OpenstackRolloutNodesFailed": (
        [state("failed", metric="nodes", value="0 0 2x9", role="compute")],
        *(2, 1),
    ),
    "OpenstackRolloutStalled": (
        [state("running"), alone("last_event_timestamp_seconds", "0x200")],
        HOUR + 1,
        HOUR,
    ),
    "OpenstackRolloutNodesStayDrained": (
        [
            {"series": 'openstack_rollout_drained_nodes{instance="m1", role="compute"}', "values": "1x200"},
            state("paused", value="0x200"),
        ],
        *(HOUR, HOUR - 1),
    ),
    "OpenstackRolloutMetricsOld": ([alone("metrics_timestamp_seconds", "0x200")], 16, 15),
}


def fires(tmp_path, alert, series, minute, wanted):
    """Whether promtool finds an alert as it is wanted at a minute. What it says is of no account here."""
    tested = {
        "rule_files": [str(SHIPPED)],
        "evaluation_interval": "1m",
        "tests": [
            {
                **{"interval": "1m", "input_series": series},
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertname=~"{alert}", alertstate="firing"}}) or vector(0)',
                        **{"eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": wanted}]},
                    }
                ],
            }
        ],
    }
    file = tmp_path / "tests.yml"
    file.write_text(yaml.safe_dump(tested))
    done = promtool("test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", FIRES)
def test_an_alert_fires_when_it_is_time_and_not_before(tmp_path, alert):
    series, at, before = FIRES[alert]
    fires(tmp_path, alert, series, at, 1)
    fires(tmp_path, alert, series, before, 0)


@pytest.mark.parametrize("reason", ["WINDOW_CLOSED", "PAUSED_BY_OPERATOR", "GATED"])
def test_who_waits_on_purpose_is_no_alert(tmp_path, reason):
    series = [state("paused"), state(reason, "reason", "run_reason")]
    fires(tmp_path, "OpenstackRolloutPaused", series, 30, 0)


def test_a_run_that_waits_for_a_yes_is_not_stalled(tmp_path):
    series = [state("running"), alone("last_event_timestamp_seconds", "0x200"),
              state("CONFIRMATION", "reason", "run_reason")]  # fmt: skip
    fires(tmp_path, "OpenstackRolloutStalled", series, 150, 0)


def test_a_run_that_goes_well_fires_nothing(tmp_path):
    series = [state("running"), alone("last_event_timestamp_seconds", "0+60x200"),
              alone("metrics_timestamp_seconds", "0+60x200"), state("paused", value="0x200")]  # fmt: skip
    fires(tmp_path, ".*", series, 150, 0)


def test_every_expression_is_one_to_prometheus(tmp_path):
    done = promtool("check", "rules", str(SHIPPED))
    assert done.returncode == 0, done.stdout + done.stderr
    rules = []
    for number, shown in enumerate(of_dashboard()):
        plain = shown.replace("$instance", "m1")
        for name, value in GRAFANAS.items():
            plain = plain.replace(name, value)
        rules.append({"record": f"panel:number:{number}", "expr": plain})
    file = tmp_path / "dashboard.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = promtool("check", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
