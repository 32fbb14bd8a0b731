"""Containers that Pacemaker runs get a new image one replica at a time, and Pacemaker itself restarts them.

Three controllers with a real Pacemaker and real bundles, made as TripleO makes its own. The tests follow one
another; every fact is podman's or Pacemaker's own.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from .. import settings
from ..cloud import Lab
from ..clusters import bundles
from ..enclosure import wait_for

CONTROLLERS = ("ctl1", "ctl2", "ctl3")
PROXY, VOLUME = "haproxy-bundle", "openstack-cinder-volume"
_KEY = "horizon_image"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Lab]:
    """Three controllers with two bundles at release 1.0.0: one with a replica on each, and one with a single
    replica. No other service runs."""
    lab = Lab(profile=settings.CONTROLLERS)
    lab.down()
    try:
        lab.up()
        lab.master(["salt", "*", "saltutil.sync_all", "--out=quiet", "-t", "120"])
        bundles.create(lab, PROXY, image(lab, "1.0.0"), 3, 20901)
        bundles.create(lab, VOLUME, image(lab, "1.0.0"), 1, 20902)
        yield lab
    finally:
        lab.down()


def image(cloud: Lab, version: str) -> str:
    return cloud.releases[version]["images"][_KEY]


def image_id(cloud: Lab, node: str, reference: str) -> str:
    return cloud.exec(node, ["podman", "image", "inspect", "--format", "{{.Id}}", reference]).stdout.strip()


def call(cloud: Lab, node: str, function: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = ["salt-call", "--out=json", "--log-level=quiet", function, *arguments]
    return cloud.exec(node, program, check=False, timeout=600)


def returned(cloud: Lab, node: str, function: str, *arguments: str):
    done = call(cloud, node, function, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)["local"]


def at_image(cloud: Lab, node: str, container: str, reference: str, *more: str) -> dict:
    """What the state answers."""
    arguments = ["container.at_image", f"name={container}", f"image={reference}", *more]
    done = call(cloud, node, "state.single", *arguments)
    (answer,) = json.loads(done.stdout)["local"].values()
    return answer


def changed(before: dict, after: dict) -> list[str]:
    """The nodes on which another container runs than before, or the same one was started again."""
    return sorted(node for node in before.keys() | after.keys() if before.get(node) != after.get(node))


def assert_nothing_left(cloud: Lab) -> None:
    """No ban, and no tag that keeps a previous image."""
    assert bundles.constraints(cloud) == "<constraints/>"
    for node in CONTROLLERS:
        listed = cloud.exec(node, ["podman", "images", "--format", "{{.Tag}}"]).stdout
        assert "-previous" not in listed, (node, listed)


def test_each_node_knows_its_own_replica(cloud):
    running = bundles.replicas_of(cloud, PROXY)
    for node in CONTROLLERS:
        found = returned(cloud, node, "pacemaker_bundle.carried")
        assert found[running[node][0]]["image"] == bundles.tag(PROXY)
        assert [one["bundle"] for one in found.values()].count(PROXY) == 1
        assert returned(cloud, node, "pacemaker_bundle.replica", PROXY) == running[node][0]
    assert len({running[node][0] for node in CONTROLLERS}) == 3


def test_a_prediction_restarts_nothing(cloud):
    before = bundles.replicas_of(cloud, PROXY)
    answer = at_image(cloud, "ctl1", before["ctl1"][0], image(cloud, "1.0.1"), "test=True")
    assert answer["result"] is None and changed(before, bundles.replicas_of(cloud, PROXY)) == []


@pytest.mark.parametrize("node", CONTROLLERS)
def test_one_replica_gets_the_image_and_the_others_go_on(cloud, node):
    before = bundles.replicas_of(cloud, PROXY)
    answer = at_image(cloud, node, PROXY, image(cloud, "1.0.1"))
    assert answer["result"] is True, answer
    after = bundles.replicas_of(cloud, PROXY)
    assert changed(before, after) == [node]
    assert after[node][0] == before[node][0]
    assert after[node][2] == image_id(cloud, node, image(cloud, "1.0.1"))
    assert_nothing_left(cloud)


def test_what_is_at_its_image_stays(cloud):
    before = bundles.replicas_of(cloud, PROXY)
    answer = at_image(cloud, "ctl1", before["ctl1"][0], image(cloud, "1.0.1"))
    assert answer["result"] is True and answer["changes"] == {}
    assert changed(before, bundles.replicas_of(cloud, PROXY)) == []


def test_the_only_replica_is_restarted_where_it_is(cloud):
    before = bundles.replicas_of(cloud, VOLUME)
    ((node, (container, *_)),) = before.items()
    answer = at_image(cloud, node, container, image(cloud, "1.0.1"))
    assert answer["result"] is True, answer
    after = bundles.replicas_of(cloud, VOLUME)
    assert list(after) == [node] and after[node][1] != before[node][1]
    assert after[node][2] == image_id(cloud, node, image(cloud, "1.0.1"))
    assert_nothing_left(cloud)
    spare = next(one for one in CONTROLLERS if one != node)
    predicted = at_image(cloud, spare, VOLUME, image(cloud, "1.0.1"), "test=True")
    assert predicted["result"] is None and VOLUME in predicted["changes"], predicted
    answer = at_image(cloud, spare, VOLUME, image(cloud, "1.0.1"))
    assert answer["result"] is True and answer["changes"].keys() == predicted["changes"].keys(), answer
    assert at_image(cloud, spare, VOLUME, image(cloud, "1.0.1"))["changes"] == {}
    assert image_id(cloud, spare, bundles.tag(VOLUME)) == image_id(cloud, spare, image(cloud, "1.0.1"))
    assert bundles.replicas_of(cloud, VOLUME) == after


@pytest.mark.parametrize("bundle", [PROXY, VOLUME])
def test_an_image_that_exits_is_put_back(cloud, bundle):
    before = bundles.replicas_of(cloud, bundle)
    node = next(iter(before))
    answer = at_image(cloud, node, before[node][0], cloud.images["broken"])
    assert answer["result"] is False and answer["reason"] == "CONTAINER_EXITED", answer
    assert "previous image again" in answer["comment"]
    after = bundles.replicas_of(cloud, bundle)
    assert changed(before, after) == [node]
    assert after[node][2] == before[node][2] == image_id(cloud, node, bundles.tag(bundle))
    assert_nothing_left(cloud)


@pytest.mark.parametrize(("keep", "release"), [
    (["resource", "unmanage", PROXY], ["resource", "manage", PROXY]),
    (["node", "maintenance", "ctl1"], ["node", "unmaintenance", "ctl1"]),
    (["property", "set", "maintenance-mode=true"], ["property", "set", "maintenance-mode=false"]),
])  # fmt: skip
def test_what_an_operator_keeps_still_is_refused(cloud, keep, release):
    before = bundles.replicas_of(cloud, PROXY)
    cloud.exec("ctl1", ["pcs", *keep])
    cloud.exec("ctl1", ["crm_resource", "--wait"])
    try:
        answer = at_image(cloud, "ctl1", before["ctl1"][0], image(cloud, "1.0.0"))
    finally:
        cloud.exec("ctl1", ["pcs", *release])
    assert answer["result"] is False and answer["reason"] == "DEFINITION_REFUSED", answer
    assert changed(before, bundles.replicas_of(cloud, PROXY)) == []
    assert image_id(cloud, "ctl1", bundles.tag(PROXY)) == before["ctl1"][2]


def test_a_minion_killed_in_between_is_mended_by_the_next_run(cloud):
    before = bundles.replicas_of(cloud, PROXY)
    wanted = image(cloud, "1.0.0")
    arguments = ["container.at_image", f"name={PROXY}", f"image={wanted}"]
    cloud.exec("ctl2", ["podman", "pull", "--quiet", wanted])
    command = ["salt-call", "--log-level=quiet", "state.single", *arguments]
    process = subprocess.Popen(cloud.exec_command("ctl2", command), stdout=subprocess.DEVNULL)
    assert wait_for(lambda: "cli-ban" in bundles.constraints(cloud), 60, 0.1)
    cloud.exec("ctl2", ["pkill", "-KILL", "-f", "container.at_image"], check=False)
    process.wait(60)
    answer = at_image(cloud, "ctl2", PROXY, wanted)
    assert answer["result"] is True, answer
    after = bundles.replicas_of(cloud, PROXY)
    assert changed(before, after) == ["ctl2"]
    assert after["ctl2"][2] == image_id(cloud, "ctl2", wanted)
    assert_nothing_left(cloud)


def test_a_cluster_that_lacks_a_node_keeps_its_replicas(cloud):
    before = bundles.replicas_of(cloud, PROXY)
    cloud.exec("ctl3", ["systemctl", "stop", "pacemaker.service"])
    try:
        assert returned(cloud, "ctl3", "pacemaker_bundle.carried") == {}
        answer = at_image(cloud, "ctl1", before["ctl1"][0], image(cloud, "1.0.0"))
    finally:
        cloud.exec("ctl3", ["systemctl", "start", "pacemaker.service"])
    assert answer["result"] is False and answer["reason"] == "QUORUM_AT_RISK", answer
    assert "ctl3 is offline" in answer["comment"]
    assert wait_for(lambda: len(bundles.replicas_of(cloud, PROXY)) == 3, 90, 1)
    assert changed(before, bundles.replicas_of(cloud, PROXY)) == ["ctl3"]
