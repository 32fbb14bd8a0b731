"""Gates and silences of a real Prometheus and a real Alertmanager, in a run of salt-run with real minions."""

from __future__ import annotations

import time

import psutil
import pytest

from tests.integration.monitoring_servers import PASSWORD, Servers
from tests.integration.simulated_cloud import PATIENCE, REPO, SimulatedCloud

RULES = {"CloudOnFire": "cloud_on_fire > 0", "HostDown": "host_down > 0"}
CALM = {"alerts": ['severity="critical"'], "interval": 1}
ERRORS = {"query": "cloud_errors", "at_most": 0.01, "interval": 1, "timeout": 5}
SLOW = {"seconds": {"ovn": 12}}
DOWN = {"matchers": ['instance="{node}"', "alertname=~HostDown|AgentDown"], "ends_within": 15}


class Watched(SimulatedCloud):
    """A cloud with a monitoring of its own, whose login Salt's sdb has."""

    servers: Servers

    def fresh(self, gates, silences=None, **keys):
        """As of SimulatedCloud; all is quiet in the monitoring. gates, silences: of both roles."""
        self.servers.metrics = {"cloud_on_fire": 0, "cloud_errors": 0}
        self.servers.until(lambda: not self.servers.alerts(), "an alert stays")
        policy = {"silence": 120, "gates": gates, "alert_silences": silences or {}}
        policies = dict.fromkeys(("controller", "compute"), policy)
        super().fresh(policies=policies, monitoring=self.servers.declared, **keys)

    def burn(self):
        """Have an alert fire."""
        self.servers.metrics["cloud_on_fire"] = 1
        self.servers.until(lambda: self.servers.alerts().get("CloudOnFire") == "active", "it does not fire")


@pytest.fixture(scope="module")
def cloud(salt_factories, tmp_path_factory):
    cloud = Watched(salt_factories, tmp_path_factory.mktemp("pillar"), REPO / "_utils")
    cloud.servers = Servers(tmp_path_factory.mktemp("monitoring"), RULES)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ALERTMANAGER_PASSWORD", PASSWORD)
        try:
            cloud.servers.start()
            cloud.start()
            yield cloud
        finally:
            cloud.stop()
            cloud.servers.stop()


def test_an_alert_that_fires_in_mid_role_stops_new_nodes_and_the_run_goes_on_after_it(cloud):
    cloud.fresh({"calm": CALM}, cmp1=SLOW)
    with cloud.events() as events:
        update = cloud.popen("rollout.run", "ovn")
        events.until(update, stage="ovn", node="cmp1", step="apply", status="started")
        cloud.burn()
        output, _ = update.communicate(timeout=PATIENCE)
    assert update.returncode == 1 and output.startswith("ALERT_FIRING: "), output
    assert "CloudOnFire" in output and "compute:calm" in output and PASSWORD not in output
    assert cloud.at("ctl1") == cloud.at("cmp1") == {"ovn": "1.0.1"} and cloud.at("cmp2") == {}
    run = cloud.json("rollout.status")["run"]
    assert (run["state"], run["reason"]) == ("paused", "ALERT_FIRING")
    again = cloud.run("rollout.resume")
    assert again.returncode == 1 and again.stdout.startswith("ALERT_FIRING: "), again.stdout
    assert cloud.at("cmp2") == {}
    cloud.servers.metrics["cloud_on_fire"] = 0
    cloud.servers.until(lambda: not cloud.servers.alerts(), "it does not resolve")
    assert cloud.run("rollout.resume").returncode == 0
    assert cloud.at("cmp2") == {"ovn": "1.0.1"}


@pytest.mark.long  # SUITE=eyes has both gates on machines
def test_a_query_without_data_opens_no_run_and_one_that_loses_it_pauses(cloud):
    cloud.fresh({"errors": {**ERRORS, "query": "no_such_metric"}})
    refused = cloud.run("rollout.run", "ovn")
    assert refused.returncode == 1 and refused.stdout.startswith("ANALYSIS_INCONCLUSIVE: "), refused.stdout
    assert "no data" in refused.stdout and "no_such_metric" in refused.stdout and cloud.at("ctl1") == {}
    cloud.fresh({"errors": ERRORS}, cmp1=SLOW)
    with cloud.events() as events:
        update = cloud.popen("rollout.run", "ovn")
        events.until(update, stage="ovn", node="cmp1", step="apply", status="started")
        cloud.servers.stop_one("prometheus")
        output, _ = update.communicate(timeout=PATIENCE)
    cloud.servers.start_one("prometheus")
    assert update.returncode == 1 and output.startswith("ANALYSIS_INCONCLUSIVE: "), output
    assert cloud.at("cmp1") == {"ovn": "1.0.1"} and cloud.at("cmp2") == {}
    cloud.servers.metrics["cloud_errors"] = 0.5
    cloud.servers.until(lambda: "0.5" in cloud.run("rollout.resume").stdout, "it is not scraped")
    failed = cloud.run("rollout.resume")
    assert failed.stdout.startswith("ANALYSIS_FAILED: ") and "at_most 0.01" in failed.stdout, failed.stdout
    assert cloud.at("cmp2") == {}


def test_a_wrong_login_is_named_without_the_password(cloud, monkeypatch):
    monkeypatch.setenv("ALERTMANAGER_PASSWORD", "a-wrong-one")
    cloud.fresh({"calm": CALM})
    refused = cloud.run("rollout.run", "ovn")
    assert refused.returncode == 1 and refused.stdout.startswith("ANALYSIS_INCONCLUSIVE: "), refused.stdout
    assert "401" in refused.stdout and "a-wrong-one" not in refused.stdout + refused.stderr


def test_a_silence_hides_what_its_node_causes_and_nothing_else(cloud):
    cloud.fresh({"calm": CALM}, {"down": DOWN}, cmp1=SLOW)
    with cloud.events() as events:
        update = cloud.popen("rollout.run", "ovn")
        events.until(update, stage="ovn", node="cmp1", step="apply", status="started")
        (silence,) = silences_of(cloud, "cmp1")
        assert {(one["name"], one["value"]) for one in silence["matchers"]} == {
            ("instance", "cmp1"),
            ("alertname", "HostDown|AgentDown"),
        }
        cloud.servers.metrics['host_down{instance="cmp1"}'] = 1
        cloud.servers.until(
            lambda: cloud.servers.alerts().get("HostDown") == "suppressed", "it is not silenced"
        )
        events.until(update, stage="ovn", node="cmp1", step="apply", status="succeeded")
        cloud.servers.metrics.pop('host_down{instance="cmp1"}')
        output, _ = update.communicate(timeout=PATIENCE)
    assert cloud.servers.silences() == []
    assert update.returncode == 0 or "HostDown" in output, output  # it may take a second to resolve
    cloud.servers.until(lambda: not cloud.servers.alerts(), "it does not resolve")
    assert update.returncode == 0 or cloud.run("rollout.resume").returncode == 0
    told = cloud.json("rollout.report")["nodes"]["cmp1"]["silences"]
    assert told[0]["id"] == silence["id"] and all(one["ended"] for one in told)


@pytest.mark.long  # SUITE=eyes: silences of a killed master
def test_silences_of_a_killed_engine_end_by_themselves_and_the_next_one_knows(cloud):
    cloud.fresh({}, {"down": DOWN}, cmp1={"seconds": {"ovn": 40}})
    with cloud.events() as events:
        update = cloud.popen("rollout.run", "ovn")
        events.until(update, stage="ovn", node="cmp1", step="apply", status="started")
        (left,) = silences_of(cloud, "cmp1")
        time.sleep(10)
        (prolonged,) = silences_of(cloud, "cmp1")
        assert prolonged["id"] == left["id"] and prolonged["endsAt"] > left["endsAt"]
    kill(update)
    cloud.servers.until(lambda: not cloud.servers.silences(), "it does not end by itself")
    assert cloud.run("rollout.run", "ovn").returncode == 0
    assert cloud.servers.silences() == [] and cloud.at("cmp2") == {"ovn": "1.0.1"}
    told = cloud.json("rollout.report")["nodes"]["cmp1"]["silences"]
    assert left["id"] in [one["id"] for one in told] and all(one["ended"] for one in told)


def silences_of(cloud, node):
    """The silences of a node; those of a node in flight come within a moment."""
    cloud.servers.until(
        lambda: [one for one in cloud.servers.silences() if f": {node} is" in one["comment"]], ""
    )
    return [one for one in cloud.servers.silences() if f": {node} is" in one["comment"]]


def kill(update):
    """End salt-run with all its processes, as kill -9 does."""
    processes = [psutil.Process(update.pid), *psutil.Process(update.pid).children(recursive=True)]
    for one in processes:
        one.kill()
    psutil.wait_procs(processes)
    update.communicate()
