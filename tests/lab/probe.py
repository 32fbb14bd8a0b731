"""Measure the lab's network packet by packet, from inside its VMs and from the outside.

Each pair gets 100 packets a second, numbered, each answered by the other end; a packet that is not answered
within three seconds is lost. Nothing of the product is asked.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from . import settings
from .enclosure import LabError, wait_for
from .network import PROBE_PORT, Overlay, Vm

_PROGRAM = "tests/lab/files/probe/endpoint"
_PLACE = "/run/lab-probe"
#: of the end that is no VM
OUTSIDE = "outside"
_PATIENCE = 3.0  # seconds that the endpoints wait for an answer
_NOTICED = 1.5  # seconds until the endpoints say that an answer is overdue
_AFTERWARDS = 5.0  # seconds that what happens after a node's end may be its doing
_INTERVAL_MS = 10.0

Packet = tuple[int, float, float | None]


@dataclass(frozen=True)
class Pair:
    """Who sends to which address."""

    name: str
    sender: str
    address: str


@dataclass(frozen=True)
class Result:
    """What became of a pair's packets in a stretch of time."""

    sent: int
    lost: int
    longest_gap_ms: float
    #: when the longest gap began, seconds since the epoch; 0 without any
    gap_at: float


class Measurement:
    """The packets of a probe: pair → (number, sent, answered or None), in the order they were sent."""

    def __init__(self, packets: Mapping[str, list[Packet]], began: float, ended: float) -> None:
        self.packets = {
            pair: sorted(p for p in found if began <= p[1] <= ended) for pair, found in packets.items()
        }
        self.began, self.ended = began, ended

    def between(self, began: float, ended: float) -> Measurement:
        """The packets that were sent in a stretch of time (seconds since the epoch)."""
        return Measurement(self.packets, began, ended)

    def only(self, pairs: Iterable[str]) -> Measurement:
        """The same for some of the pairs."""
        return Measurement({pair: self.packets[pair] for pair in pairs}, self.began, self.ended)

    def results(self) -> dict[str, Result]:
        """Each pair's result."""
        return {pair: _result(found) for pair, found in self.packets.items()}

    @property
    def sent(self) -> int:
        """Packets of all pairs."""
        return sum(map(len, self.packets.values()))

    @property
    def lost(self) -> int:
        """Packets of all pairs that were not answered."""
        return sum(packet[2] is None for found in self.packets.values() for packet in found)

    @property
    def longest_gap_ms(self) -> float:
        """The longest time that any pair went without an answer."""
        return max((result.longest_gap_ms for result in self.results().values()), default=0.0)

    def gaps(self) -> dict[str, list[tuple[float, float]]]:
        """Each pair's gaps above one interval over time: (seconds since the epoch, milliseconds)."""
        return {pair: list(_gaps(found)) for pair, found in self.packets.items()}

    def by_step(self, events: Iterable[Mapping]) -> dict[tuple[str, str], Measurement]:
        """The packets put down to (stage, node): from the start of its drain or apply to its last step's end.

        What shows only some moments later, as where a gateway port came back, belongs to it as well, until
        the next one starts.

        Args:
            events: The engine's node events in order, as `EventLog.steps` gives them.
        """
        began: dict[tuple[str, str], float] = {}
        ended: dict[tuple[str, str], float] = {}
        for event in events:
            key = (event.get("stage", ""), event.get("node", ""))
            if event.get("step") in ("drain", "apply") and event["status"] == "started":
                began.setdefault(key, moment(event))
            elif key in began and event["status"] in ("succeeded", "failed"):
                ended[key] = moment(event)
        found = {}
        for key, end in ended.items():
            others = [start for start in began.values() if start >= end]
            found[key] = self.between(began[key], min([end + _AFTERWARDS, *others]))
        return found

    def write(self, path: Path) -> None:
        """Save every packet as a JSON line: pair, number, sent, answered."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as output:
            for pair, found in self.packets.items():
                output.writelines(json.dumps([pair, *packet]) + "\n" for packet in found)

    def table(self) -> str:
        """The results as lines for a reader."""
        lines = [f"{'PAIR':28}{'SENT':>8}{'LOST':>7}{'LONGEST GAP':>14}"]
        for pair, result in self.results().items():
            lines.append(f"{pair:28}{result.sent:8}{result.lost:7}{result.longest_gap_ms:11.0f} ms")
        return "\n".join(lines)


class Probe:
    """Packets between pairs, from `start` to `stop`.

    Args:
        overlay: A built overlay.
        pairs: Who sends to whom; None: `default_pairs`.
    """

    def __init__(self, overlay: Overlay, pairs: Iterable[Pair] | None = None) -> None:
        self._lab = overlay.lab
        self._overlay = overlay
        self.pairs = list(pairs) if pairs is not None else default_pairs(overlay)
        self._file = f"{_PLACE}/{time.time_ns()}"
        self._outside = self._lab.home / "probe" / Path(self._file).name
        self._process: subprocess.Popen | None = None
        self.began = 0.0

    def start(self, timeout: float = 60) -> Probe:
        """Begin to send, and return as soon as every path answers; what is sent from then on counts.

        Raises:
            LabError: A path did not answer in time; the message names its senders.
        """
        self._outside.parent.mkdir(exist_ok=True)
        program = [str(settings.CHECKOUT / _PROGRAM), str(PROBE_PORT), str(self._outside)]
        self._process = self._lab.popen_master(["python3", *program, *self._targets(OUTSIDE)])
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._launch, self._overlay.vms.values()))
        if not wait_for(lambda: not self._unanswered(), timeout, interval=0.5):
            silent = self._unanswered()
            self._end()
            raise LabError(f"the probe gets no answer to packets of {', '.join(silent)}")
        self.began = time.time()
        return self

    def settle(self, timeout: float = 90) -> float:
        """Wait until every path answers again, after something was done; when that was noticed (time.time()).

        Raises:
            LabError: A path stayed dead; the message names its senders.
        """
        time.sleep(_NOTICED)  # an overdue answer takes a moment to be noticed
        if not wait_for(lambda: not self._unanswered(), timeout, interval=0.5):
            raise LabError(f"no answer to packets of {', '.join(self._unanswered())} within {timeout:.0f} s")
        return time.time()

    def stop(self) -> Measurement:
        """End the sending, wait for the last answers, and return what was measured."""
        ended = time.time()
        self._end()
        packets: dict[str, list[Packet]] = {pair.name: [] for pair in self.pairs}
        texts = [self._outside.read_text()]
        for vm in self._overlay.vms.values():
            done = self._lab.exec(vm.node, ["cat", f"{self._file}-{vm.name}"], check=False)
            texts.append(done.stdout)
        for line in "".join(texts).splitlines():
            pair, number, sent, answered = json.loads(line)
            packets[pair].append((number, sent, answered))
        return Measurement(packets, self.began, ended)

    def __enter__(self) -> Probe:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self._end()

    def _launch(self, vm: Vm) -> None:
        file = f"{self._file}-{vm.name}"
        self._lab.exec(vm.node, ["mkdir", "-p", _PLACE])
        program = [f"{settings.CHECKOUT_IN_NODE}/{_PROGRAM}", str(PROBE_PORT), file]
        unit = ["systemd-run", "--quiet", "--collect", f"--unit={self._unit(vm)}"]
        inside = ["ip", "netns", "exec", vm.name, *program, *self._targets(vm.name)]
        self._lab.exec(vm.node, [*unit, *inside])

    def _targets(self, sender: str) -> list[str]:
        return [f"{pair.name}={pair.address}" for pair in self.pairs if pair.sender == sender]

    def _unanswered(self) -> list[str]:
        missing = [] if Path(f"{self._outside}.ready").exists() else [OUTSIDE]
        for vm in self._overlay.vms.values():
            test = ["test", "-e", f"{self._file}-{vm.name}.ready"]
            if self._lab.exec(vm.node, test, check=False).returncode:
                missing.append(vm.name)
        return missing

    def _end(self) -> None:
        """Tell every end to stop; each goes on answering the others for a while."""
        process, self._process = self._process, None
        if process is None:
            return
        with ThreadPoolExecutor(8) as pool:
            stops = pool.map(self._stop, self._overlay.vms.values())
            process.send_signal(signal.SIGTERM)
            list(stops)
        try:
            process.wait(_PATIENCE + 10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _stop(self, vm: Vm) -> None:
        self._lab.exec(vm.node, ["systemctl", "stop", self._unit(vm)], check=False)

    def _unit(self, vm: Vm) -> str:
        return f"{Path(self._file).name}-{vm.name}"


def default_pairs(overlay: Overlay) -> list[Pair]:
    """East-west from each compute to the next; from outside to floating IPs; out by the router's address."""
    vms = overlay.vms
    pairs = []
    for here, there in zip(overlay.computes, [*overlay.computes[1:], overlay.computes[0]], strict=True):
        pairs.append(Pair(f"{here}-a to {there}-b", f"{here}-a", vms[f"{there}-b"].address))
    for node in overlay.computes[:2]:
        pairs.append(Pair(f"outside to {node}-a", OUTSIDE, vms[f"{node}-a"].floating or ""))
        pairs.append(Pair(f"{node}-b to outside", f"{node}-b", settings.OUTSIDE_ADDRESS))
    return pairs


def moment(event: Mapping) -> float:
    """When an event of the master's bus was sent, in seconds since the epoch."""
    return datetime.fromisoformat(event["_stamp"]).replace(tzinfo=UTC).timestamp()


def _result(packets: list[Packet]) -> Result:
    at, longest = max(_gaps(packets), key=lambda gap: gap[1], default=(0.0, 0.0))
    return Result(len(packets), sum(packet[2] is None for packet in packets), round(longest, 1), at)


def _gaps(packets: list[Packet]) -> Iterable[tuple[float, float]]:
    """(when, milliseconds) between one answer and the next, where that is more than one interval.

    Time in which the sender itself was held up is not the network's, and does not count.
    """
    previous: Packet | None = None
    lost = 0
    for packet in packets:
        if packet[2] is None:
            lost += 1
            continue
        if previous and previous[2]:
            gap = (packet[2] - previous[2]) * 1000
            if not lost:
                gap -= (packet[1] - previous[1]) * 1000 - _INTERVAL_MS
            if gap > _INTERVAL_MS:
                yield previous[2], gap
        previous, lost = packet, 0
    if lost and previous and previous[2]:  # the last ones were lost
        yield previous[2], (packets[-1][1] - previous[2]) * 1000
