"""A whole update of real machines under load, watched through the live page by a real browser."""

from __future__ import annotations

import os
import shutil

import pytest

from ... import operator, proof, settings
from ...events import ROLLOUT, EventLog, step
from ...live_page import LivePage, printed
from ...network import Overlay
from ...probe import Probe
from .page.seconds import late

LAB_PROFILE = os.environ.get("OPENSTACK_ROLLOUT_EYES_PROFILE", "full")
pytestmark = pytest.mark.timeout(7200)
NEW = "1.0.1"
_LONG = 4500
STAGES = ("ovn", "services", "ovs", "system")
MOST_LATE = 10.0  # seconds behind an event, with machines, browser and load on two cores
#: Where pictures and the printed report stay, to be looked at.
RESULTS = settings.CHECKOUT / "build" / "eyes"


@pytest.fixture(scope="module")
def story(cloud) -> dict:
    overlay = Overlay(cloud).build()
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    with LivePage(cloud) as page, Probe(overlay) as probe, EventLog(cloud) as log:
        cloud.set_pillar(target_version=NEW)
        process = operator.start_update(cloud)
        for stage in STAGES:
            log.wait_for(step(stage=stage, node="cmp1", step="apply", status="started"), timeout=_LONG)
            page.picture(stage)
        output, _ = process.communicate(timeout=_LONG)
        assert process.returncode == 0, output
        probe.settle()
        found = {"seen": page.seen(300), "traffic": probe.stop(), "log": log}
    for picture in page.folder.glob("*.png"):
        shutil.copy(picture, RESULTS)
    return found


def test_the_update_is_done_and_the_page_shows_its_end(cloud, story):
    proof.assert_cloud_at(cloud, NEW)
    assert story["seen"]["word"] == "Completed"
    assert story["seen"]["verbs"] == [], "who may only look has buttons"
    assert story["seen"]["complaints"] == []
    assert story["traffic"].sent > 0


def test_what_it_showed_agrees_with_the_events_second_by_second(story):
    events = [data for tag, data in story["log"].events if tag.startswith(ROLLOUT)]
    found = list(late(story["seen"]["looks"], events))
    print(f"looked {len(found)} times, at most {max(one for one in found if one is not None):.1f} s late")
    assert len(found) > 60
    assert None not in found, "it showed what never was"
    assert max(found) < MOST_LATE


def test_there_are_pictures_of_five_moments(story):
    assert set(story["seen"]["pictures"]) == {*STAGES, "end"}
    for name in (*STAGES, "end"):
        assert (RESULTS / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_report_is_printed(cloud, story, tmp_path):
    file = RESULTS / "report.html"
    cloud.master(["salt-run", "rollout.report", "format=html", f"output={file}"])
    text = printed(file, tmp_path).read_bytes()
    assert text.startswith(b"%PDF-") and len(text) > 10_000
