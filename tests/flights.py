"""Who was in flight together, read from events: these have the number alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: Told beside what is in flight.
_BESIDE = ("quarantined", "not_silenced")


def named(events: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The events of nodes in their order, with the nodes in flight of the role in place of their number."""
    flying: dict[str, dict[str, None]] = {}
    for event in events:
        if event["node"] == "-" or event["step"] == "measure" or event["status"] in _BESIDE:
            continue
        here, node, number = flying.setdefault(event["role"], {}), event["node"], event["in_flight"]
        if event["status"] == "started":
            here[node] = None
            if number == 1:  # those of a pass that was left are there no more
                flying[event["role"]] = here = {node: None}
        elif len(here) > number:
            here.pop(node, None)
        assert len(here) >= number, event
        yield {**event, "in_flight": list(here)}
