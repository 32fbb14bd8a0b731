"""How many nodes are asked at once: as many as the master serves while none of them has to wait long.

Each question costs a pillar that the master compiles. Hundreds at once queue before its worker threads for
longer than a node may be silent, and their signs of life queue with them. So the next are asked when the
earlier have answered, and how many is measured: by what came back so far, and by how long the master takes to
take in a publication.
"""

from __future__ import annotations

from collections.abc import Iterable

#: Asked at once before anything is known of the master, and the most that one publication names.
FIRST, MOST = 50, 500
SERVED_WITHIN = 10.0  # seconds in which those that are asked at once are to be served
BUSY = 1.0  # seconds for a publication, of a master that is behind with its work


class Throttle:
    """That of one question. began: when it was begun, in seconds of a clock that is not set."""

    def __init__(self, began: float):
        self._began = began
        self._answers = 0

    def answered(self, count: int) -> None:
        """Take in that so many (int) nodes more have answered."""
        self._answers += count

    def room(self, asked: Iterable[float], lag: float, now: float) -> int:
        """How many nodes more may be asked now; 0 while too few would come together.

        asked: when each node was asked that has not answered. lag: seconds that the master took for the
        latest publication. now: of the same clock as `began`.

        A node that is slow itself, or down, holds nobody up: where the master keeps up, it counts no longer
        than others take.
        """
        rate = self._answers / max(1.0, now - self._began)
        most = min(MOST, max(FIRST, int(rate * SERVED_WITHIN)))
        counted = sum(1 for when in asked if lag > BUSY or now - when < SERVED_WITHIN)
        room = most - counted
        return room if room >= most // 4 else 0
