"""The handover itself: the order of its steps, and what happens when one fails."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from openstack_rollout.node.switch_handover import (
    BROKEN_OFF,
    DONE,
    NOT_POSSIBLE,
    NOTHING_TOUCHED,
    RUN,
    Failed,
    NotPossible,
    headstart,
    printed,
    run,
    wait_until,
)
from openstack_rollout.node.switch_handover.bridge import Bridge
from openstack_rollout.node.switch_handover.database import DAEMON as _SERVER
from openstack_rollout.node.switch_handover.database import Database, recover
from openstack_rollout.node.switch_handover.liveness import Liveness
from openstack_rollout.node.switch_handover.pidfile import Pidfile, strays
from openstack_rollout.node.switch_handover.process import Process
from openstack_rollout.node.switch_handover.urgency import calm, urgent

_DAEMON = "ovs-vswitchd"
#: The option with which the new switch prints that it waits for the lock, and what it prints.
_VERBOSE = "-vbridge:console:err"
_WAITS = "another ovs-vswitchd process is running"
_PATIENCE = 40.0  # seconds for each step while the old switch forwards
_ENDS_IN = 10.0  # seconds until the old switch is killed
_STARTS_IN = 60.0  # seconds for the new switch to have its bridges
_READINGS = 10  # how often flows that change meanwhile are read again


class Handover:
    """One handover: `run` does it, `report` says how it went, `missed` that the head start failed.

    Args:
        schema: The file of the installed schema, to renew the database server, too; else "".
        early: Whether the new switch gets a head start.
    """

    def __init__(self, schema: str = "", early: bool = True) -> None:
        self._schema = schema
        self._early = early
        self.missed = False
        self.report: dict = {
            "outcome": NOTHING_TOUCHED,
            "step": "",
            "error": "",
            "gap": None,
            "flows": {},
            "late": [],
        }
        self._bridges: list[Bridge] = []
        self._ended = 0.0
        self._sockets: dict[str, tuple[int, int] | None] = {}

    def run(self) -> None:
        """Hand over; when that is not possible, the report says why."""
        try:
            self._step("look")
            end_strays()
            old = Process(_pid(RUN / f"{_DAEMON}.pid"))
            self._read()
            with self._server() as begin, self._successor(old) as new:
                self._read_again()
                if not old.alive:
                    raise Failed("the old switch ended meanwhile")
                signal.signal(signal.SIGTERM, signal.SIG_IGN)  # now nothing may break it off
                liveness = Liveness(old.pid)
                feeders = [bridge.feeder for bridge in self._bridges if bridge.feeder]
                with urgent([os.getpid(), old.pid, new.pid, *feeders]):
                    with headstart.given(new, begin, self._early):
                        self.report["outcome"] = BROKEN_OFF
                        self._end(old)
                    self._fill(new, liveness)
                self.report["outcome"] = DONE
            self.report["late"] = sorted(liveness.wait_for_sessions(new.pid))
        except NotPossible as error:
            self.report |= {"error": str(error), "outcome": NOT_POSSIBLE}
        except (Failed, OSError, ValueError) as error:
            self.report["error"] = str(error)
            self.missed = isinstance(error, headstart.Missed)
        finally:
            for bridge in self._bridges:
                bridge.drop()
            _set_waiting(False)

    def _step(self, name: str) -> None:
        self.report["step"] = name
        print(name, flush=True)

    @contextlib.contextmanager
    def _server(self) -> Iterator[Callable[[], None] | None]:
        """A new database server, if there is to be one. When the handover fails, the old server resumes,
        unless the old switch has ended already.

        Yields the function that gives the new switch its lock; None where the end of the old switch does so.
        """
        if not self._schema:
            yield None  # the lock is the old one's
            return
        self._step("start the new database server")
        database = Database(_pid(RUN / f"{_SERVER}.pid"))
        database.replace(self._schema)
        try:
            database.hold_lock()
            yield database.unlock
        except BaseException:
            if self.report["outcome"] == BROKEN_OFF:
                database.commit()
            else:
                database.put_back()
            raise
        if refused := database.commit():
            self.report["error"] = "; ".join(filter(None, [self.report["error"], refused]))

    @contextlib.contextmanager
    def _successor(self, old: Process) -> Iterator[Process]:
        """A new switch that waits for the old one's lock; it is ended when the handover fails."""
        self._step("start the new switch")
        pidfile = Pidfile(_DAEMON, old.pid)
        pidfile.make()
        _set_waiting(True)
        with tempfile.TemporaryFile("w+") as words:
            process = old.start_another(pidfile.path, words, _VERBOSE)

            def ended() -> str:
                return f"it ended: {printed(words)[-300:]}" if process.poll() is not None else ""

            try:
                self._wait_until(lambda: _WAITS in printed(words) and pidfile.written, _PATIENCE, ended)
                new = Process(pidfile.pid())
                if new.domain() != old.domain():
                    raise NotPossible(f"the new switch would run as {new.domain()}, not as {old.domain()}")
                yield new
                # systemd reads the service's pidfile when the old switch ends, and again when this program
                # ends. It notices only the end of its own children; the new switch becomes one when its
                # starter ends.
                with contextlib.suppress(Failed):
                    self._wait_until(lambda: process.poll() is not None, _ENDS_IN)
                pidfile.adopt()
                self._step("done")
            except BaseException:
                pidfile.end()
                process.kill()
                process.wait()
                raise

    def _read(self) -> None:
        """Read the flows of all bridges, and have them parsed."""
        self._step("read the flows")
        listed = run(["ovs-vsctl", "--timeout=10", "--", "--real", "list-br"])
        if listed.returncode:
            raise Failed(f"the switch's database does not answer: {listed.stderr.strip()}")
        self._bridges = [Bridge(name) for name in listed.stdout.split()]
        self._parse(self._bridges)

    def _parse(self, bridges: list[Bridge]) -> None:
        for bridge in bridges:
            bridge.feed()
        self._wait_until(lambda: all([bridge.parsed() for bridge in bridges]), _PATIENCE)

    def _read_again(self) -> None:
        """Read the flows again until they did not change meanwhile."""
        self._step("read the flows again")
        for _ in range(_READINGS):
            changed = [bridge for bridge in self._bridges if bridge.read()]
            if not changed:
                break
            self._parse(changed)
        else:
            raise Failed(f"flows change all the time: {', '.join(bridge.name for bridge in changed)}")
        self.report["flows"] = {bridge.name: bridge.flows for bridge in self._bridges}

    def _end(self, old: Process) -> None:
        """End the old switch. From here on nothing forwards, until the new switch has its flows."""
        self._step("end the old switch")
        self._sockets = {bridge.name: _socket(bridge.name) for bridge in self._bridges}
        self._ended = time.monotonic()
        os.kill(old.pid, signal.SIGTERM)
        try:
            self._wait_until(lambda: old.gone, _ENDS_IN)
        except Failed:
            os.kill(old.pid, signal.SIGKILL)
            self._wait_until(lambda: old.gone, _ENDS_IN)

    def _fill(self, new: Process, liveness: Liveness) -> None:
        """Give the new switch its flows, as soon as it has its bridges."""
        self._step("restore the flows")
        refused = []

        def ended() -> str:
            return "" if new.alive else "the new switch ended"

        for bridge in self._bridges:
            try:
                listens = partial(_listens_anew, bridge.name, self._sockets[bridge.name])
                self._wait_until(listens, _STARTS_IN, ended)
                bridge.begin()
            except Failed as error:  # the others go on
                refused.append(str(error))
        liveness.assume(new.pid)
        refused += [found for bridge in self._bridges if (found := bridge.end())]
        _set_waiting(False)
        self.report["gap"] = round(time.monotonic() - self._ended, 3)
        self.report["error"] = "; ".join(refused)
        if not new.alive:
            raise Failed(f"the new switch ended: {self.report['error']}")

    def _wait_until(
        self, condition: Callable[[], bool], timeout: float, hopeless: Callable[[], str] = str
    ) -> None:
        """As `wait_until`; the failure names the step."""
        step = self.report["step"]

        def why_not() -> str:
            why = hopeless()
            return f"{step}: {why}" if why else ""

        wait_until(condition, timeout, f"{step}: not done after {timeout:.0f} s", why_not)


def _socket(bridge: str) -> tuple[int, int] | None:
    """The identity of the socket at which a switch listens for a bridge, None without one."""
    try:
        found = (RUN / f"{bridge}.mgmt").stat()
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns


def _listens_anew(bridge: str, before: tuple[int, int] | None) -> bool:
    """Whether another socket is there than before: the socket of a switch that was killed stays."""
    return _socket(bridge) not in (None, before)


def _set_waiting(waiting: bool) -> None:
    """Set whether a switch that starts waits for its flows (flow-restore-wait)."""
    change = ["set", "Open_vSwitch", ".", "other_config:flow-restore-wait=true"]
    if not waiting:
        change = ["--if-exists", "remove", "Open_vSwitch", ".", "other_config", "flow-restore-wait"]
    run(["ovs-vsctl", "--timeout=10", "--no-wait", *change])


def _pid(file: Path) -> int:
    return int(file.read_text(encoding="ascii"))


def end_strays() -> None:
    """Clean up after a handover that was killed; nothing happens where there was none.

    It may have left a new switch that waits, an old one in real time, and files of the database put aside.
    """
    with contextlib.suppress(OSError, ValueError):
        calm(_pid(RUN / f"{_DAEMON}.pid"))
    for stray in strays(_DAEMON):
        stray.end(started=False)
    recover()
