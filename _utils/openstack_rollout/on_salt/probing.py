"""The program that probes guests (node/prober.py): of this master, or of a node that is asked over Salt."""

from __future__ import annotations

import json
import os
import secrets
import selectors
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from openstack_rollout.drains.contract import Ask
from openstack_rollout.node import prober

_BEAT, _BEAT_OF_NODE = 2.0, 15.0  # seconds from one word of all guests to the next
_ENDS = 2.0  # seconds in which the program ends by itself
_PATIENCE = 10  # seconds for a node to answer


class Here:
    """Implements rollout.auditing.Probes by a process of this one, which ends with it.

    plan: as of node/prober.py.
    """

    def __init__(self, plan: Mapping[str, Any]):
        self._process = subprocess.Popen(
            [sys.executable, "-I", prober.__file__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is meant for the run, which pauses by it
        )  # fmt: skip
        assert self._process.stdin and self._process.stdout  # noqa: S101 - both are pipes
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._rest = b""
        self._stdin.write(json.dumps(plan).encode() + b"\n")
        self._stdin.flush()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stdout, selectors.EVENT_READ)

    def read(self, seconds: float) -> Iterable[Mapping[str, Any]]:
        """What was told, waiting for some seconds at most. Raises OSError where the program has ended."""
        told = []
        if self._selector.select(seconds):
            data = os.read(self._stdout.fileno(), 65_536)
            if not data:
                raise OSError("the program that probes has ended")
            *lines, self._rest = (self._rest + data).split(b"\n")
            told = [json.loads(line) for line in lines]
        return told

    def close(self) -> Iterable[Mapping[str, Any]]:
        """End the program; returns the rest of what it told."""
        try:
            rest, _ = self._process.communicate(timeout=_ENDS)  # closes its stdin
        except subprocess.TimeoutExpired:
            self._process.kill()
            rest, _ = self._process.communicate()
        self._selector.close()
        lines = (self._rest + (rest or b"")).split(b"\n")[:-1]
        return [json.loads(line) for line in lines]


class OnNode:
    """Implements rollout.auditing.Probes by guest_probe of a node.

    ask: asks nodes. node (str): its minion id. name (str): of what is begun there. plan: as of
    node/prober.py.
    """

    def __init__(self, ask: Ask, node: str, name: str, plan: Mapping[str, Any]):
        self._ask = ask
        self._node = node
        self._name = name
        self._after = 0
        self._reads = 0.0
        self._call("start", plan=dict(plan))

    def read(self, seconds: float) -> Iterable[Mapping[str, Any]]:
        """What was told, by this host's clock. Raises OSError where the node does not tell."""
        if time.monotonic() < self._reads:
            time.sleep(seconds)
            return []
        self._reads = time.monotonic() + _BEAT_OF_NODE
        return self._told()

    def close(self) -> Iterable[Mapping[str, Any]]:
        """End the program there; returns the rest of what it told."""
        told = self._told()
        self._call("stop")
        return told

    def _told(self) -> list[Mapping[str, Any]]:
        before = time.monotonic()
        answer = self._call("read", after=self._after)
        # The node's clock is read between question and answer: half of that time is the least that is wrong.
        ahead = answer["now"] - (before + time.monotonic()) / 2
        self._after = answer["after"]
        return [dict(_moved(json.loads(line), ahead)) for line in answer["lines"]]

    def _call(self, function: str, **more: Any) -> Any:
        keywords = {"name": self._name, **more}
        answer = self._ask.ask([self._node], f"guest_probe.{function}", keywords, timeout=_PATIENCE)[
            self._node
        ]
        if answer.error:
            raise OSError(f"{self._node}: {answer.error}")
        return answer.value


def here(more: Mapping[str, Any], addresses: Mapping[str, str], apart: float) -> Here:
    """Probe from this master. more: of the plan. addresses, apart: as of rollout.auditing.Open."""
    return Here({"guests": dict(addresses), "interval": apart, "beat": _BEAT, **more})


def on_node(  # noqa: PLR0917
    ask: Ask, node: str, name: str, more: Mapping[str, Any], addresses: Mapping[str, str], apart: float
) -> OnNode:
    """Probe from a node. ask, node: as of OnNode. name (str): of the run. The others are those of `here`."""
    # Of a name of its own: who has begun under an older one ends by that.
    named = f"{name}-{secrets.token_hex(2)}"
    return OnNode(
        ask, node, named, {"guests": dict(addresses), "interval": apart, "beat": _BEAT_OF_NODE, **more}
    )


def no_ping() -> list[str]:
    """Why this host cannot ping, none where it can."""
    try:
        with selectors.DefaultSelector() as selector:
            prober.way("127.0.0.1", None, selector)
    except OSError as error:
        return [f"{error}; install iputils-ping (iputils) on the master, or give tcp_port"]
    return []


def _moved(told: Mapping[str, Any], ahead: float) -> Iterator[tuple[str, Any]]:
    """What a node told, by this host's clock. ahead: seconds that the node's clock shows more."""
    for key, value in told.items():
        if key in ("seen", "at"):
            yield key, value - ahead
        elif key == "unseen":
            yield key, [one - ahead for one in value]
        else:
            yield key, value
