"""What a page shows second by second, beside what the events told by then."""

from __future__ import annotations

from tests.integration.browser import Browser

#: The last step of a stage, as the events have them.
_LAST = {"prefetch", "verify", "restore"}
_LOOK = """
const texts = (all) => [...all].map((one) => one.textContent);
window.looks = [];
setInterval(() => {
  const heads = texts(document.querySelectorAll("#node-heads th")).map((one) => one.replace(" ", "_"));
  const rows = [...document.getElementById("node-rows").rows].map((row) => texts(row.cells));
  window.looks.push({ at: Date.now() / 1000, heads, rows });
}, 1000);
"""


class Seconds:
    """Looks at a page each second from now on, in the browser itself. Ends where the page is loaded anew."""

    def __init__(self, browser: Browser):
        self._browser = browser
        browser.driver.execute_script(_LOOK)

    def late(self, events):
        """By how many seconds each look was behind the events, or None where it shows what never was.

        events: of the rollout, in their order, from the begin of a run on.
        """
        return late(self.seen(), events)

    def seen(self):
        """The looks so far."""
        return self._browser.driver.execute_script("return window.looks")


def late(looks, events):
    """As Seconds.late, of looks that were taken before."""
    states = list(_states(events))
    for look in looks:
        shown = {row[0]: dict(zip(look["heads"][4:-1], row[4:-1], strict=True)) for row in look["rows"]}
        if shown and look["at"] >= states[0][0]:
            yield _late(look["at"], _told(shown), states)


def _told(shown):
    """Without what says nothing: a stage that was not begun, a node that waits for its first."""
    told = {name: {stage: text for stage, text in row.items() if text} for name, row in shown.items()}
    return {name: row for name, row in told.items() if row}


def _late(at, shown, states):
    held = [index for index, (_, state) in enumerate(states) if state == shown]
    if not held:
        return None
    # What held until the next event is late by the time since that, and not at all before.
    ends = [states[index + 1][0] if index + 1 < len(states) else at for index in held]
    return min(max(0.0, at - end) for end in ends)


def _states(events):
    """(from when on, node → stage → what a page has to show) after each event of a node."""
    shown: dict[str, dict[str, str]] = {}
    for event in events:
        name, stage, step = event["node"], event["stage"], event["step"]
        if name == "-":
            continue
        row = shown.setdefault(name, {})
        if event["status"] == "started":
            row[stage] = f"▶ {step}"
        elif event["status"] == "succeeded" and step in _LAST:
            row[stage] = "✔ done"
        elif event["status"] in ("failed", "quarantined"):
            row[stage] = "✖ failed"
        elif event["status"] == "skipped" and row.get(stage) != "✔ done":
            row[stage] = "– skipped"
        yield event["at"], {one: dict(row) for one, row in shown.items()}
