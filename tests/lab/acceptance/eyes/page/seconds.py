"""What a page shows second by second, beside what the events told by then."""

from __future__ import annotations

from tests.integration.browser import Browser

#: The last step of a stage, as the events have them.
_LAST = {"prefetch", "verify", "restore"}
#: The states of a node before its first event.
_NOTHING: list[tuple[float, dict[str, str]]] = [(float("-inf"), {})]
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
    """As Seconds.late, of looks that were taken before.

    Each node by itself: the master reads one record after the other, so nobody ever sees all at one moment.
    """
    states = _states(events)
    first = min((known[1][0] for known in states.values()), default=float("inf"))
    for look in looks:
        shown = {row[0]: dict(zip(look["heads"][4:-1], row[4:-1], strict=True)) for row in look["rows"]}
        if shown and look["at"] >= first:
            # Without what says nothing: a stage that was not begun.
            told = {name: {stage: text for stage, text in row.items() if text} for name, row in shown.items()}
            found = [_late(look["at"], row, states.get(name, _NOTHING)) for name, row in told.items()]
            yield None if None in found else max(found)


def _late(at, shown, states):
    held = [index for index, (_, state) in enumerate(states) if state == shown]
    if not held:
        return None
    # What held until the next event is late by the time since that, and not at all before.
    ends = [states[index + 1][0] if index + 1 < len(states) else at for index in held]
    return min(max(0.0, at - end) for end in ends)


def _states(events):
    """Node → (from when on, stage → what a page has to show) before its events, and after each of them."""
    states: dict[str, list[tuple[float, dict[str, str]]]] = {}
    for event in events:
        name, stage, step = event["node"], event["stage"], event["step"]
        if name == "-":
            continue
        known = states.setdefault(name, [*_NOTHING])
        row = dict(known[-1][1])
        if event["status"] == "started":
            row[stage] = f"▶ {step}"
        elif event["status"] == "succeeded" and step in _LAST:
            row[stage] = "✔ done"
        elif event["status"] in ("failed", "quarantined"):
            row[stage] = "✖ failed"
        elif event["status"] == "skipped" and row.get(stage) != "✔ done":
            row[stage] = "– skipped"
        known.append((event["at"], row))
    return states
