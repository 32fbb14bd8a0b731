"""What people and programs see of an update on a real master: the stream, the report, the metrics."""

from __future__ import annotations

import json

import jsonschema
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from openstack_rollout.records import events as forms
from tests.integration.simulated_cloud import PATIENCE


def test_a_paused_update_as_stream_report_and_metrics(cloud, tmp_path):
    cloud.fresh(cmp1={"fail": {"services": "no </script><script>alert(1)</script> & token=hunter2"}})
    watch = cloud.popen("rollout.watch", "timeout=200", "--out=json")
    with cloud.events() as events:
        done = cloud.run("rollout.run")
        events.drain()
    assert done.returncode == 1, done.stdout
    validator = jsonschema.Draft202012Validator(forms.json_schema())
    for event in events.seen:
        validator.validate(event)

    said, _ = watch.communicate(timeout=PATIENCE)
    assert watch.returncode == 1
    lines = [json.loads(line) for line in said.splitlines() if line.strip()]
    assert list(lines[0]) == ["watched"] and lines[-2]["ended"]["state"] == "paused"
    assert isinstance(lines[-1], str) and lines[-1].startswith("paused")
    streamed = [(one["stage"], one["node"], one["step"], one["status"]) for one in lines[1:-2]]
    assert streamed and set(streamed) <= {
        (one["stage"], one["node"], one["step"], one["status"]) for one in events.seen
    }

    page = tmp_path / "report.html"
    written = cloud.run("rollout.report", "format=html", f"output={page}")
    assert written.returncode == 0 and written.stdout.strip() == f"written: {page}"
    html = page.read_text(encoding="utf-8")
    assert "<script" not in html and "hunter2" not in html and "&lt;script&gt;alert(1)" in html
    refused = cloud.run("rollout.report", "format=html", f"output={tmp_path}/no/report.html")
    assert refused.returncode == 2
    assert refused.stdout.startswith("WRONG_ARGUMENT: output: ") and refused.stdout.count("\n") == 1
    told = cloud.json("rollout.report", "format=json")
    assert told["run"]["state"] == "paused" and told["failures"][0]["open"]
    assert told["nodes"]["ctl1"]["before"]["release"] == "1.0.0"

    shown = cloud.run("rollout.metrics")
    families = {one.name: one for one in text_string_to_metric_families(shown.stdout)}
    states = {one.labels["state"]: one.value for one in families["openstack_rollout_run_state"].samples}
    assert [state for state, value in states.items() if value] == ["paused"]
