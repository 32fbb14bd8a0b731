"""The live page in a real browser, on a real master: what it shows, who may act, what it survives.

ROLLOUT_PICTURES names a folder for the pictures of docs/how-to/pictures.
"""

from __future__ import annotations

import json
import re
import time

import pytest
from selenium.webdriver.common.keys import Keys

from tests.integration.simulated_cloud import NODES, PATIENCE
from tests.lab.acceptance.eyes.page.seconds import Seconds

PATIENT = {"policies": {role: {"silence": 60} for role in ("controller", "compute")}}
EVIL = "</script><img src=x onerror=document.title='owned'> & token=hunter2"
MOST_LATE = (
    5.0  # seconds that the page may be behind an event; it takes far less on a machine that is not busy
)


@pytest.fixture
def paused(cloud):
    """A run that waits since cmp1 failed."""
    cloud.fresh(cmp1={"fail": {"ovn": "CONTAINER_EXITED: simulated"}}, **PATIENT)
    assert cloud.run("rollout.run").returncode == 1


def enter(browser, name):
    """Have the page open for somebody, whoever was there before."""
    browser.open()
    browser.until(lambda: browser.is_shown("login") or browser.is_shown("page"), "nothing comes")
    if browser.is_shown("page") and browser.text("user") != name:
        browser.leave()
    if not browser.is_shown("page"):
        browser.login(name)
    browser.until(lambda: browser.is_shown("page"), "the page does not come")


def test_a_run_from_its_begin_to_its_end(cloud, browser):
    slow = {"seconds": {"ovn": 4, "services": 6}}
    cloud.fresh(
        ctl1=slow, cmp1=slow, cmp2={**slow, "fail": {"services": f"CONTAINER_EXITED: {EVIL}"}}, **PATIENT
    )
    browser.open()
    assert browser.is_shown("login") and not browser.is_shown("page")
    browser.picture("login")
    browser.login("anna")
    browser.until(lambda: browser.is_shown("page"), "the page does not come")
    looks = Seconds(browser)
    with cloud.events() as events:
        update = cloud.popen("rollout.run")
        events.until(update, node="ctl1", stage="ovn", step="apply", status="started")
        browser.until(
            lambda: (
                browser.rows("flight-rows")[:1]
                and browser.rows("flight-rows")[0][:4] == ["ctl1", "controller", "ovn", "apply"]
            ),
            "ctl1 is not shown in flight",
        )
        assert browser.text("word") == "Under way" and browser.verbs() == {"pause", "abort"}
        events.until(update, node="cmp1", stage="services", step="apply", status="started")
        browser.until(lambda: browser.cells()["cmp1"]["services"] == "apply", "cmp1 is not at services")
        browser.picture("live-running")
        browser.picture("live-dark", scheme="dark")
        browser.picture("live-narrow", width=400)
        browser.press("pause")
        events.until(update, step="run", status="paused")
        update.communicate(timeout=PATIENCE)
        browser.until(
            lambda: browser.text("word") == "Paused" and "PAUSED_BY_OPERATOR" in browser.text("why"),
            "the pause is not shown",
        )
        browser.until(lambda: browser.text("remedy"), "what to do is not shown")
        before = browser.cells()
        browser.press("resume", sure=False)
        assert browser.text("word") == "Paused" and browser.cells() == before
        browser.press("resume", sure=True)
        # The update is now the master's own process, which nobody here can wait for.
        browser.until(lambda: "CONTAINER_EXITED" in browser.text("why"), "the failure is not shown")
        seen = events.drain()
    assert browser.driver.title != "owned" and "<img src=x" in browser.text("failures")
    assert "hunter2" not in browser.driver.page_source
    browser.until(lambda: browser.verbs() >= {"resume", "abort", "skip"}, "no buttons for a run that failed")
    browser.picture("live-failed")

    late = list(looks.late(seen))
    print(f"\nlooked {len(late)} times, at most {max(one for one in late if one is not None):.1f} s late")
    assert None not in late and max(late) < MOST_LATE
    report = cloud.json("rollout.report")
    assert {name: row["state"] for name, row in browser.cells().items()} == {
        name: node["state"] for name, node in report["nodes"].items()
    }
    begun = report["run"]["begun"][-1]
    assert (begun["user"], begun["terminal"]) == ("anna", "salt-api")

    cloud.node("cmp2", at={"ovn": "1.0.1"})
    browser.press("resume", sure=True)
    browser.until(lambda: browser.text("word") == "Completed", "the end is not shown")
    assert browser.text("share") == "100 %" and browser.verbs() == set()
    assert all(cloud.at(name)["system"] == "1.0.1" for name in NODES)
    assert browser.complaints() == []


def test_a_question_is_answered(cloud, browser):
    cloud.fresh(**PATIENT)
    enter(browser, "anna")
    update = cloud.popen("rollout.run", "ovn", "confirm=node")
    browser.until(
        lambda: "ctl1" in browser.text("waits") and browser.verbs() >= {"confirm", "skip"}, "it is not asked"
    )
    assert "waits for a yes" in browser.text("waits").lower()
    browser.press("confirm")
    browser.until(lambda: "cmp1" in browser.text("waits-list"), "the next is not asked about")
    browser.press("skip", sure=True)
    browser.until(
        lambda: "cmp2" in browser.text("waits-list") and "cmp1" not in browser.text("waits-list"),
        "cmp1 is not left out",
    )
    browser.press("abort", sure=True)
    said, _ = update.communicate(timeout=PATIENCE)
    browser.until(lambda: browser.text("word") == "Aborted", "the end is not shown")
    assert cloud.at("ctl1") == {"ovn": "1.0.1"} and cloud.at("cmp1") == {}, said


def test_a_press_is_meant_for_the_run_that_was_shown(cloud, browser, paused):
    enter(browser, "anna")
    browser.press("abort")  # and meanwhile somebody else ends it, and begins another
    assert cloud.run("rollout.abort").returncode == 0
    assert cloud.run("rollout.run").returncode == 1
    another = cloud.json("rollout.status")["run"]["id"]
    browser.until(lambda: another in browser.text("foot"), "the other run does not come")
    browser.id("sure-yes").click()
    browser.until(lambda: f"run {another} is" in browser.text("notice"), "it is not refused")
    assert cloud.json("rollout.status")["run"]["state"] == "paused"


def test_it_can_be_used_by_the_keyboard_alone(browser, paused):
    enter(browser, "anna")
    browser.until(lambda: "resume" in browser.verbs(), "there is no button")
    browser.driver.execute_script("document.activeElement.blur()")

    def pressed(*keys):
        for key in keys:
            browser.focus().send_keys(key)
        return browser.focus()

    assert pressed(Keys.TAB).text == "To the run"
    for _ in range(10):
        if pressed(Keys.TAB).get_attribute("data-verb") == "resume":
            break
    assert browser.focus().get_attribute("data-verb") == "resume", "it is not reached within ten keys"
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert browser.driver.execute_script(outline) == "solid", "where the keyboard is cannot be seen"
    assert pressed(Keys.ENTER).get_attribute("id") == "sure-no", "what does no harm comes first"
    pressed(Keys.ESCAPE)
    browser.until(lambda: not browser.is_shown("sure"), "it is still asked")
    assert browser.focus().get_attribute("data-verb") == "resume" and browser.text("word") == "Paused"
    while browser.focus().get_attribute("data-verb") != "abort":
        pressed(Keys.TAB)
    pressed(Keys.ENTER, Keys.TAB)
    assert browser.focus().get_attribute("id") == "sure-yes"
    pressed(Keys.ENTER)
    browser.until(lambda: browser.text("word") == "Aborted", "it is not ended")


def test_everybody_can_use_it(browser, paused):
    enter(browser, "anna")
    browser.until(lambda: "resume" in browser.verbs(), "there is no button")
    assert browser.barriers() == ""


def test_who_may_only_look_has_no_buttons(browser, paused):
    enter(browser, "anna")
    browser.leave()
    browser.login("eve")
    browser.until(lambda: browser.is_shown("login") and browser.text("login-why"), "eve is let in")
    assert not browser.is_shown("page")
    browser.login("otto")
    browser.until(lambda: browser.is_shown("page") and browser.text("word") == "Paused", "otto sees nothing")
    browser.until(lambda: "CONTAINER_EXITED" in browser.text("failures"), "the failure is not told")
    assert browser.verbs() == set()


def test_it_survives_restarts_of_the_api_and_of_the_master(cloud, api, browser):
    cloud.fresh(**PATIENT)
    enter(browser, "otto")
    browser.leave()
    browser.login("otto")  # it logs in again by itself as long as the page is not loaded anew
    browser.until(lambda: browser.text("link-text").startswith("live"), "it is not connected")
    api.daemon.terminate()
    browser.until(
        lambda: re.match(r"not connected, last news \d\d:\d\d:\d\d", browser.text("link-text")),
        "the loss is not told",
    )
    browser.picture("live-lost")
    api.daemon.start()
    browser.until(lambda: browser.text("link-text").startswith("live"), "it does not connect again")
    cloud.master.terminate()
    browser.until(lambda: browser.text("link-text").startswith("not connected"), "the loss is not told")
    cloud.master.start()
    for minion in cloud.minions.values():
        minion.terminate()
        minion.start()
    browser.until(lambda: browser.text("link-text").startswith("live"), "it does not connect again")
    follows(cloud, browser)


def test_it_survives_a_lost_connection(cloud, browser):
    cloud.fresh(**PATIENT)
    enter(browser, "otto")
    network = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.driver.execute_cdp_cmd("Network.enable", {})
    browser.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": True, **network})
    browser.until(lambda: browser.text("link-text").startswith("not connected"), "the loss is not told")
    browser.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, **network})
    browser.until(lambda: browser.text("link-text").startswith("live"), "it does not connect again")
    follows(cloud, browser)


def follows(cloud, browser):
    """A run is shown to its end, and what is shown is where the run is."""
    assert cloud.run("rollout.run", "ovn").returncode == 0
    end = time.monotonic()
    browser.until(lambda: browser.text("word") == "Completed", "it does not follow any more")
    print(f"\nthe end is shown {time.monotonic() - end:.1f} s after it")
    told = json.loads(cloud.run("rollout.live", "parts=nodes", "--out=json").stdout)
    assert {name: row["ovn"] for name, row in browser.cells().items()} == {
        name: node["cells"]["ovn"] for name, node in told["nodes"].items()
    }
