"""The account of a run in Markdown, for tickets and wikis: what is in it is text, never markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from openstack_rollout.screens import account, felt, tables

_MARKUP = re.compile(r"([\\`*_\[\]|#~!])")


def render(data: Mapping[str, Any], made: float) -> str:
    """The whole text. data: an account, masked. made (float): when, seconds since the epoch."""
    return "\n".join(_lines(data, made)) + "\n"


def _lines(data: Mapping[str, Any], made: float) -> Iterator[str]:
    head: tuple[str, ...]
    keys: tuple[str, ...]
    run, nodes = data["run"], data["nodes"]
    verdict = account.verdict(run, nodes)
    yield f"# {verdict['sign']} {verdict['word']}: {text(tables.title_of(run))}"
    yield from ("", text(verdict["line"]))
    if run["reason"]:
        yield from ("", f"**{run['reason']}**: {text(run['message'])}", "", text(verdict["remedy"]))
    elif run["message"]:
        yield from ("", text(run["message"]))
    yield ""
    yield from _table(("", ""), account.facts(data))
    stages = account.stages(data)
    head = ("Stage", "State", "Nodes", "Took", "Estimated", "Beside it")
    keys = ("name", "state", "nodes", "took", "estimate", "beside")
    yield from _part("Stages", head, _rows(stages, keys))
    head = ("", "From", "To", "For", "Why")
    yield from _part("Pauses", head, _rows(account.pauses(run), ("name", "from", "to", "took", "why")))
    if run["windows"]:
        yield from _part("Windows in which nodes could start", ("From", "To", "Roles"), account.windows(run))
    head = ("When", "Node", "Where", "What", "What to do", "Now")
    keys = ("at", "node", "where", "outcome", "remedy", "became")
    yield from _part("Failures", head, _rows(account.failures(data), keys))
    yield from _part("Far slower than as a rule", ("Node", "Step", "Took", "As a rule"), account.slow(data))
    left = [(line, ", ".join(of)) for line, of in account.left(data)]
    yield from _part("What is left", ("What", "Nodes"), left)
    sets = account.changes(nodes)
    head = ("Node", "Role", "Zone", "State", "Before", "After", "Versions", "Changed", "Took", "Also", "Why")
    keys = ("name", "role", "zone", "told", "before", "after", "set", "changed", "took", "extra", "why")
    yield from _part("Nodes", head, _rows(account.node_rows(data, sets), keys))
    for one in {each.name: each for each in sets.values()}.values():
        rows = [(*row[:-1], "changed" if row[-1] else "the same") for row in one.rows]
        title = f"Versions {one.name}: {account.named(one.nodes)}"
        yield from _part(title, ("What", "Name", "Before", "After", ""), rows)
    if silences := tables.silenced(nodes):
        head = ("Node", "Alerts", "From", "To", "Silence")
        yield from _part("Alerts that were silenced", head, silences)
    if (audit := data["audit"]) is not None:
        yield from _part("What the guests felt", felt.HEAD, felt.rows(audit))
        for line in felt.lines(audit):
            yield from ("", text(line))
        yield from _part("Gaps of guests", felt.GAPS_HEAD, felt.gaps(audit))
    yield from _part("Who, and what was accepted", ("What", "Who and when"), account.people(run))
    seen = [(name, verdict, "; ".join(lines)) for name, verdict, lines in account.conditions(run)]
    yield from _part("Seen before the run", ("Condition", "Verdict", "What was seen"), seen)
    yield from ("", f"Made {account.moment(made)} from the journal of run {text(run['id'])}.")


def text(value: Any) -> str:
    """A value as text in one line, which no reader of Markdown takes for markup or HTML."""
    line = " ".join(str(value).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(r"\\\1", line)


def _part(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    yield from ("", f"## {text(title)}", "")
    if rows:
        yield from _table(head, rows)
    else:
        yield "None."


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(text(cell) for cell in row)} |"


def _rows(records: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> list[list[Any]]:
    return [[one[key] for key in keys] for one in records]
