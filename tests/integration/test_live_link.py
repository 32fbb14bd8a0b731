"""How often a page asks the master: its own script in a real browser, before a master that is slow."""

from __future__ import annotations

import json

from openstack_rollout.screens import live
from tests.integration.browser import Browser

#: Events that each want the whole state: ten in a second, for so many milliseconds; an answer takes longer.
_STORM = """
const [lasts, takes, done] = arguments;
const calls = [];
let under_way = 0, most = 0;
const api = { state: async () => {
  calls.push(Math.round(performance.now() - began));
  most = Math.max(most, under_way += 1);
  await pause(takes);
  under_way -= 1;
  return { form: GIVEN.form, now: Date.now() / 1000, run: null };
} };
const link = new Link(api, new Model(), { news() {} });
link.abort = new AbortController();
const began = performance.now();
const storm = setInterval(() => link.soon("whole"), 100);
setTimeout(() => {
  clearInterval(storm);
  setTimeout(() => done({ calls, most, under_way }), 3 * takes);
}, lasts);
"""


def test_a_page_asks_no_more_than_is_answered(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(live.page(["pam"]), encoding="utf-8")
    with Browser({"rollout_api": {"port": 1}}) as browser:
        browser.driver.get(f"file://{page}")
        found = browser.driver.execute_async_script(_STORM, 8000, 2000)
        print(json.dumps(found))
    assert found["most"] == 1, "it asks while it waits for an answer"
    assert found["under_way"] == 0 and 2 <= len(found["calls"]) <= 4
    assert found["calls"][-1] > 6000, "what came last is not asked for"
