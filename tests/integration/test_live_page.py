"""The live page in a real browser, on a real master, in short: make acceptance SUITE=eyes has all of it."""

from __future__ import annotations

from tests.integration.browser import Browser
from tests.integration.simulated_cloud import PATIENCE


def test_a_stage_watched_and_acted_on(cloud, api):
    cloud.fresh(
        ctl1={"seconds": {"ovn": 4}},
        cmp1={"fail": {"ovn": "CONTAINER_EXITED: </script><img src=x> & token=hunter2"}},
    )
    with Browser(cloud.api) as browser:
        browser.open("otto", "not the password")
        browser.until(lambda: "does not take" in browser.text("login-why"), "a wrong password is not told")
        browser.login("eve")
        browser.until(lambda: "may not see" in browser.text("login-why"), "eve is let in")
        browser.login("otto")
        browser.until(lambda: browser.text("word") == "No run yet", "the page does not come")

        with cloud.events() as events:
            update = cloud.popen("rollout.run", "ovn")
            events.until(update, node="ctl1", stage="ovn", step="apply", status="started")
            browser.until(
                lambda: browser.rows("flight-rows")[:1] and browser.rows("flight-rows")[0][0] == "ctl1",
                "ctl1 is not shown in flight",
            )
        update.communicate(timeout=PATIENCE)
        browser.until(lambda: browser.text("word") == "Paused", "it is not shown to wait")
        assert browser.cells()["cmp1"]["ovn"] == "failed" and browser.verbs() == set()
        browser.until(lambda: "<img src=x> & token=…" in browser.text("failures"), "the failure is not told")
        assert browser.complaints() == []

        browser.leave()
        browser.login("anna")
        browser.until(lambda: browser.verbs() == {"resume", "abort", "skip"}, "anna has no buttons")
        browser.press("abort", sure=False)
        assert browser.text("word") == "Paused"
        browser.press("abort", sure=True)
        browser.until(lambda: browser.text("word") == "Aborted", "it is not ended")
        assert browser.barriers() == ""
