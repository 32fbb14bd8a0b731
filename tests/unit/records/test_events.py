"""Events: the schema is current, every event of the engine has its form, and the page names every field."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.records import events
from openstack_rollout.rollout import control
from tests.unit.simulated_fleet import DRAIN, Cloud, Master

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference"
SCHEMA = REFERENCE / "events.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_the_schema_beside_the_page_is_current():
    assert SCHEMA.read_text(encoding="utf-8") == events.text_of_schema()
    VALIDATOR.check_schema(VALIDATOR.schema)


def of(cloud):
    """What was fired, after each of it was looked at."""
    fired = [data for _, data in cloud.events]
    for tag, data in cloud.events:
        VALIDATOR.validate(json.loads(json.dumps(data)))
        event = events.FORM.validate_python(data)
        assert (event.tag, events.FORM.dump_python(event)) == (tag, data)
    assert fired
    return fired


def told(cloud):
    """Which kinds of events there were: of a node, or of the run, and their status."""
    return {(None if one["node"] != events.NONE else one["step"], one["status"]) for one in of(cloud)}


def test_events_of_a_whole_update(tmp_path):
    master = Master(Cloud(controller=2, gateway=1, compute=4, storage=1, monitoring=1), tmp_path)
    master.cloud.policy("compute", batch=2, drain=DRAIN, canary=1, soak=10)
    master.update()
    master.update()
    assert told(master.cloud) == {
        *((None, status) for status in ("started", "succeeded", "skipped")),
        *(("stage", status) for status in ("started", "succeeded")),
        *(("run", status) for status in ("started", "succeeded")),
    }
    started = next(one for one in of(master.cloud) if one["step"] == "stage")
    assert started["estimate"]["stages"]["ovn"]["seconds"] > 0


def test_events_of_a_run_that_waits_fails_and_goes_on(tmp_path):
    master = Master(Cloud(controller=1, compute=6), tmp_path)
    faults = master.cloud.nodes["compute1"].faults
    master.cloud.policy("compute", retries=1, retry_delay=1)
    faults["services/apply"] = "REGISTRY_UNREACHABLE"

    def say_yes():
        if master.run and master.run.questions:
            control.confirm(master.journal, master.lock)

    master.before_poll = say_yes
    with pytest.raises(RolloutError):
        master.update(confirm="stage")
    faults.clear()
    master.cloud.policy("compute", max_failures=1, on_failure="quarantine")
    faults["ovs/apply"] = "OVS_FAILED"
    master.update(confirm="never")
    assert told(master.cloud) >= {
        *((None, status) for status in ("failed", "retrying", "quarantined")),
        *(("run", status) for status in ("paused", "succeeded")),
        ("gate", "waiting"),
    }


def test_what_an_event_lacks_or_should_not_have_is_refused(tmp_path):
    master = Master(Cloud(compute=1), tmp_path)
    master.update()
    for data in {(one["step"], one["status"]): one for one in of(master.cloud)}.values():
        for key in data:
            assert not VALIDATOR.is_valid({name: one for name, one in data.items() if name != key}), key
        assert not VALIDATOR.is_valid({**data, "status": "made_up"})
        assert not VALIDATOR.is_valid({**data, "version": 1})
        assert VALIDATOR.is_valid({**data, "_stamp": "2026-11-30T05:00:00"}), "what Salt adds"


def test_the_page_names_every_field_and_status():
    page = (REFERENCE / "events.md").read_text(encoding="utf-8")
    definitions = events.json_schema()["$defs"]
    kinds = [one for name, one in definitions.items() if name.endswith("Event")]
    fields = {name for one in kinds for name in one["properties"]}
    statuses = {word for one in kinds for word in words(one["properties"]["status"])}
    assert fields == set(re.findall(r"^\| `(\w+)` \|", page, flags=re.M))
    assert statuses <= set(re.findall(r"`(\w+)`", page))
    lacking = [name for one in kinds for name, form in one["properties"].items()
               if not (form.get("description") or name in ("status", "step", "stage", "node"))]  # fmt: skip
    assert lacking == []


def words(form):
    return form.get("enum") or [form["const"]]
