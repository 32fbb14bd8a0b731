"""What people look at, on the lab's machines.

The monitoring stops an update and is told of it, alerts are silenced for nodes in flight alone, and what the
audit says that guests felt is what the lab's own probe saw.

The tests are one story: an update that is stopped by an alert, by a query without data, and by a kill of its
process, and goes on each time. The live page in a browser has tests of its own (tests/integration).
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ... import operator, proof
from ...events import EventLog, flights, step
from ...live_page import printed
from ...monitoring import OURS, Monitoring, SilenceWitness
from ...network import Overlay
from ...probe import OUTSIDE, Measurement, Pair, Probe, moment

LAB_PROFILE = "network"
pytestmark = pytest.mark.timeout(5400)
_LONG = 4500
ROLES = ("controller", "gateway", "compute")
#: Seconds: of the audit's probes, of the gates, of silences that nobody prolongs, and of what may be late.
INTERVAL, ASKED, ENDS, LATE = 0.5, 2, 30, 20
CALM = {"alerts": ['severity="critical"', OURS], "interval": ASKED}
ERRORS = {"query": "cloud_errors", "at_most": 0.5, "interval": ASKED, "timeout": 10}
DOWN = {"matchers": ['instance="{node}"', 'alertname=~"HostDown|AgentDown"'], "ends_within": ENDS}
#: One node of a role in flight in each stage, also where nothing is disturbed.
ALONE = {"batch_undisturbing": 1}
#: While a canary soaks an alert has time to fire, and a series to be missed, however soon the node is done.
SOAKS = {"canary": 1, "soak": 30}
QUIET = {"cloud_on_fire": 0, "cloud_errors": 0}


@pytest.fixture(scope="module")
def overlay(cloud) -> Overlay:
    return Overlay(cloud, ports=20, rules=5, addresses=5).build()


@pytest.fixture(scope="module")
def monitoring(cloud) -> Iterator[Monitoring]:
    with Monitoring(cloud, {"CloudOnFire": "cloud_on_fire > 0"}) as servers:
        servers.write(**QUIET)
        servers.until(lambda: servers.query("cloud_errors == 0"), "the page is scraped")
        yield servers


@pytest.fixture(scope="module")
def story(cloud, overlay, monitoring) -> dict:
    """The whole update, with everything that was seen of it from outside."""
    floating = {vm.name: vm.floating for vm in overlay.vms.values() if vm.floating}
    policy = {"gates": {"calm": CALM, "errors": ERRORS}, "alert_silences": {"down": DOWN}}
    cloud.set_pillar(
        target_version="1.0.1",
        monitoring=monitoring.declared,
        policies={"controller": policy, "gateway": policy | ALONE, "compute": policy | ALONE | SOAKS},
        audit={"addresses": sorted(floating.values()), "interval": INTERVAL},
    )
    pairs = [Pair(name, OUTSIDE, address) for name, address in floating.items()]
    found: dict = {"floating": floating, "began": time.time()}
    with EventLog(cloud) as log, Probe(overlay, pairs) as probe, SilenceWitness(monitoring) as witness:
        found["alert"] = stopped_by_an_alert(cloud, monitoring, log)
        found["query"] = stopped_by_a_query_without_data(cloud, monitoring, log)
        found["kill"] = killed(cloud, monitoring, log)
        operator.update(cloud, timeout=_LONG)
        probe.settle()
        found |= {"measured": probe.stop(), "log": log, "silenced": witness.seen}
    found["report"] = json.loads(cloud.master(["salt-run", "rollout.report", "--out=json"]).stdout)
    return found


def stopped_by_an_alert(cloud, monitoring: Monitoring, log: EventLog) -> dict:
    process = operator.start_update(cloud)
    log.wait_for(step(stage="ovn", node="cmp1", step="apply", status="started"), timeout=_LONG)
    monitoring.write(**QUIET | {"cloud_on_fire": 1})
    fired = monitoring.until(lambda: "CloudOnFire" in monitoring.firing(), "the alert fires")
    output, _ = process.communicate(timeout=_LONG)
    found = {"fired": fired, "output": output, "status": operator.status(cloud), "ended": time.time()}
    state = 'openstack_rollout_run_state{state="paused"} == 1'
    monitoring.until(lambda: monitoring.query(state), "Prometheus knows that it paused")
    monitoring.until(lambda: "OpenstackRolloutPaused" in monitoring.firing(), "people are told of it", 180)
    monitoring.write(**QUIET)
    monitoring.until(lambda: "CloudOnFire" not in monitoring.firing(), "the alert resolves")
    return found


def stopped_by_a_query_without_data(cloud, monitoring: Monitoring, log: EventLog) -> dict:
    resumed = time.time()
    process = operator.start_update(cloud)
    log.wait_for(step(stage="services", node="cmp1", step="apply", status="started"), timeout=_LONG)
    monitoring.write(cloud_on_fire=0)
    gone = monitoring.until(lambda: not monitoring.query("cloud_errors"), "the series is gone")
    output, _ = process.communicate(timeout=_LONG)
    found = {"resumed": resumed, "gone": gone, "output": output, "status": operator.status(cloud)}
    monitoring.write(**QUIET)
    monitoring.until(lambda: monitoring.query("cloud_errors == 0"), "the series is back")
    return {**found, "ended": time.time()}


def killed(cloud, monitoring: Monitoring, log: EventLog) -> dict:
    process = operator.start_update(cloud)
    log.wait_for(step(stage="system", node="cmp1", step="apply", status="started"), timeout=_LONG)
    monitoring.until(monitoring.silences, "the node is silenced")
    process.send_signal(signal.SIGKILL)
    process.wait()
    at = time.time()
    left = monitoring.silences()
    ended = monitoring.until(lambda: not monitoring.silences(), "what nobody prolongs ends", ENDS + LATE)
    return {"at": at, "left": left, "ended": ended}


def started_between(log: EventLog, role: str, since: float, until: float) -> list[tuple[str, str, str]]:
    """The nodes of a role that began to be changed in a stretch of time."""
    events = log.steps(role=role, status="started", step="apply")
    return [(one["node"], one["stage"], one["step"]) for one in events if since < moment(one) < until]


def test_an_alert_stops_new_nodes_within_one_evaluation_and_is_named(story):
    alert = story["alert"]
    assert "ALERT_FIRING" in alert["output"] and "CloudOnFire" in alert["output"], alert["output"]
    run = alert["status"]["run"]
    assert (run["state"], run["reason"]) == ("paused", "ALERT_FIRING")
    for role in ROLES:  # an answer is good for as long as a gate says, an evaluation takes a second
        assert started_between(story["log"], role, alert["fired"] + ASKED + 1, alert["ended"]) == []
    assert started_between(story["log"], "compute", 0.0, alert["ended"]) == [("cmp1", "ovn", "apply")]


def test_it_resolves_and_the_run_goes_on_when_it_is_told(story):
    began, query = story["alert"]["ended"], story["query"]
    assert started_between(story["log"], "compute", began, query["resumed"]) == []
    assert ("cmp2", "ovn", "apply") in started_between(
        story["log"], "compute", query["resumed"], query["gone"]
    )


def test_a_query_without_data_pauses_as_inconclusive(story):
    query = story["query"]
    assert "ANALYSIS_INCONCLUSIVE" in query["output"] and "cloud_errors" in query["output"], query["output"]
    run = query["status"]["run"]
    assert (run["state"], run["reason"]) == ("paused", "ANALYSIS_INCONCLUSIVE")
    assert started_between(story["log"], "compute", query["gone"] + ASKED + 1, query["ended"]) == []


def test_a_node_is_silenced_while_it_is_in_flight_and_no_longer_also_after_a_kill(story):
    near = flights(story["log"].steps())
    died = story["kill"]["at"]
    for at, nodes in story["silenced"]:
        if died <= at <= died + ENDS + LATE:
            continue  # its own test
        for node in nodes:
            assert inside((at, at), near[node], LATE), f"{node} is silenced at {at}, in flight {near[node]}"
    assert {node for _, nodes in story["silenced"] for node in nodes} >= {"cmp1", "cmp2", "gtw1", "gtw2"}
    assert story["silenced"][-1][1] == frozenset()


def test_silences_of_a_killed_master_end_by_themselves(story):
    kill = story["kill"]
    values = {one["value"] for silence in kill["left"] for one in silence["matchers"]}
    assert kill["left"] and "cmp1" in values and not {"cmp2", "gtw1", "gtw2", "ctl1"} & values
    assert kill["ended"] - kill["at"] <= ENDS + LATE
    told = [one for node in story["report"]["nodes"].values() for one in node["silences"]]
    assert {silence["id"] for silence in kill["left"]} <= {one["id"] for one in told}
    assert all(one["ended"] for one in told)


def test_the_update_is_done_in_spite_of_all(cloud, story):
    proof.assert_cloud_at(cloud, "1.0.1")
    assert story["report"]["run"]["state"] == "completed"


def inside(gap: tuple[float, float], stretches: list[tuple[float, float]], slack: float) -> bool:
    """Whether a time touches one of some others, with some slack."""
    return any(gap[0] <= until + slack and gap[1] >= since - slack for since, until in stretches)


def test_the_audit_tells_the_gaps_that_the_labs_own_probe_saw(story):
    audit, measured = story["report"]["audit"], story["measured"]
    assert audit["problem"] == ""
    unknown = [(one["from"], one["to"]) for one in audit["unknown"]]
    ours = {one["address"]: [(gap["from"], gap["to"]) for gap in one["gaps"]] for one in audit["guests"]}
    assert set(ours) == set(story["floating"].values())
    seen = probed_gaps(measured)
    for name, address in story["floating"].items():
        theirs = seen[name]
        print(f"{name}: audit {durations(ours[address])} s, probe {durations(theirs)} s")
        for gap in theirs:  # what is longer than two of our probes are apart cannot have been missed
            if gap[1] - gap[0] > 2 * INTERVAL + 0.2:
                assert inside(gap, [*ours[address], *unknown], INTERVAL + 1), (name, gap)
        for gap in ours[address]:  # and nothing is made up: a probe of ours is lost after a second
            assert inside(gap, theirs, INTERVAL + 1), (name, gap)


def test_the_time_without_a_process_is_unknown(story):
    unknown = [(one["from"], one["to"]) for one in story["report"]["audit"]["unknown"]]
    for since, until in (
        (story["alert"]["ended"], story["query"]["resumed"]),
        (story["kill"]["at"], story["kill"]["ended"]),
    ):
        assert any(one[0] <= since + 10 and one[1] >= until for one in unknown), (since, until, unknown)


def test_gaps_are_put_down_to_steps_that_were_under_way(story):
    for guest in story["report"]["audit"]["guests"]:
        for gap in guest["gaps"]:
            print(guest["address"], gap)
            for cause in gap["causes"]:
                assert inside((gap["from"], gap["to"]), under_way(story["log"], **cause), 10), (gap, cause)


def under_way(log: EventLog, **of: str) -> list[tuple[float, float]]:
    """From when to when a step of a node was under way, each time, whoever saw its end."""
    found, begun = [], None
    for event in log.steps(**of):
        if event["status"] == "started":
            begun = begun or moment(event)
        elif event["status"] in ("succeeded", "failed") and begun:
            found.append((begun, moment(event)))
            begun = None
    return [*found, *([(begun, float("inf"))] if begun else [])]


def probed_gaps(measured: Measurement) -> dict[str, list[tuple[float, float]]]:
    return {pair: [(at, at + ms / 1000) for at, ms in found] for pair, found in measured.gaps().items()}


def durations(gaps: list[tuple[float, float]]) -> list[float]:
    return [round(until - since, 2) for since, until in gaps if until - since > 0.1]


class _Page(HTMLParser):
    """The ids, and the addresses, that a page has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name == "id" and value:
                self.ids.add(value)
            if name in ("src", "href") and value and not value.startswith("#"):
                self.addresses.append(value)


def test_the_report_as_html_opens_in_a_browser_and_needs_nothing_else(cloud, story, tmp_path):
    file = Path(cloud.home) / "report.html"
    cloud.master(["salt-run", "rollout.report", "format=html", f"output={file}"])
    text = file.read_text(encoding="utf-8")
    page = _Page(text)
    assert {
        "verdict",
        "stages",
        "timeline",
        "pauses",
        "guests",
        "failures",
        "left",
        "nodes",
        "silences",
    } <= page.ids
    assert page.addresses == [] and "<script" not in text
    for line in ("ALERT_FIRING", "ANALYSIS_INCONCLUSIVE", "Nobody probed from"):
        assert line in text, line
    text = printed(file, tmp_path).read_bytes()
    assert text.startswith(b"%PDF-") and len(text) > 10_000
