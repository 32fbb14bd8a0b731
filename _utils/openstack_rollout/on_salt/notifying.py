"""Tells people what becomes of a run, through apprise: once of each happening, in a thread of its own.

apprise is imported where somebody is to be told. No run waits for it, or fails with it: what could not be
sent is in the master's log.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from openstack_rollout.declared.model import Model
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import sdb_secrets
from openstack_rollout.on_salt.cache_store import CacheStore
from openstack_rollout.records.journal import BANK
from openstack_rollout.rollout import happenings
from openstack_rollout.rollout.happenings import Told

log = logging.getLogger(__name__)

TRIES, RETRY = 3, 5.0
LEAVES_AFTER = 20.0  # seconds that the end of a command waits for what is being sent
_KEY = "told"
_KEYS = "openstack:notifications"
_MOST = 1000  # that are remembered of a run

#: The URLs of apprise, a title, a text → whether all were sent.
Send = Callable[[Sequence[str], str, str], bool]


def through_apprise(urls: Sequence[str], title: str, text: str) -> bool:
    """Send a text. Returns whether everybody got it; raises ImportError without apprise."""
    import apprise  # noqa: PLC0415 - whoever tells nobody does without it

    sender = apprise.Apprise()
    right = [_added(sender, url) for url in urls]
    return all(right) and bool(sender.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT))


def _added(sender: Any, url: str) -> bool:
    """Whether apprise knows what a URL means. What it logs of URLs has their secrets in it."""
    of_apprise = logging.getLogger("apprise")
    of_apprise.setLevel(logging.INFO)
    of_apprise.disabled = True
    try:
        return bool(sender.add(url))
    finally:
        of_apprise.disabled = False


def problems(opts: Mapping[str, Any], model: Model) -> list[str]:
    """Why somebody could not be told, a line each; none where nobody is to be.

    opts (dict): the master's options. model: what is declared.
    """
    if not model.notifications.to:
        return []
    try:
        import apprise  # noqa: PLC0415
    except ImportError as error:
        return [f"{_KEYS} need apprise in the master's Python (salt-pip install apprise): {error}"]
    urls, wrong = _urls(opts, model)
    strange = [number for number, url in urls.items() if not _added(apprise.Apprise(), url)]
    what = "what is there is no URL that apprise knows"
    return [*wrong, *(f"{_KEYS}:to:{number}: {what}" for number in strange)]


def _urls(opts: Mapping[str, Any], model: Model) -> tuple[dict[int, str], list[str]]:
    """The URLs of those who are told, by their place in the pillar, and why others cannot be read."""
    urls, wrong = {}, []
    for number, address in enumerate(model.notifications.to):
        try:
            urls[number] = sdb_secrets.read(opts, f"{_KEYS}:to:{number}", address)
        except sdb_secrets.Unreadable as error:
            wrong.append(str(error))
    return urls, wrong


class _Due(NamedTuple):
    """What is to be told; to whom, by their places in the pillar (None: to all); how often it was tried."""

    model: Model
    told: Told
    to: Sequence[int] | None = None
    tried: int = 0


class Notifier:
    """Hears the events of runs, and tells of some.

    opts (dict): the master's options. cache: makes where it is remembered what was told. model: what is
    declared, as it was read last; None before. send: as of through_apprise.
    """

    def __init__(
        self,
        opts: Mapping[str, Any],
        cache: Callable[[], CacheStore],
        model: Callable[[], Model | None],
        send: Send = through_apprise,
    ):
        self._opts = opts
        self._cache = cache  # made when it is needed: nobody who tells nobody needs one
        self._model = model
        self._send = send
        self._known: dict[str, list[str]] = {}
        self._waiting: queue.SimpleQueue[_Due] = queue.SimpleQueue()
        self._left = 0
        self._changed = threading.Condition()

    def heard(self, event: Mapping[str, Any]) -> None:
        """Take in an event; never fails, and waits for nobody."""
        model = self._model()
        if model is None or not model.notifications.to:
            return
        try:
            if happenings.gets_on(event):
                self._forget(str(event["run"]))
                return
            told = happenings.of(event, model.name, model.notifications.link)
            if told and told.kind in model.notifications.about and self._is_new(str(event["run"]), told.key):
                self._start(_Due(model, told))
        except Exception:  # whatever it is, the run is not to end with it
            log.exception("nobody was told of an event")

    def close(self) -> None:
        """Wait until what was heard is sent, for some seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._left, LEAVES_AFTER):
                log.warning("somebody was not told within %g s, and is not any more", LEAVES_AFTER)

    def _is_new(self, run: str, key: str) -> bool:
        """Whether something was not told of a run; it is remembered before it is sent."""
        known = self._of_run(run)
        if key in known:
            return False
        self._remember(run, [*known, key][-_MOST:])
        return True

    def _forget(self, run: str) -> None:
        kept = [key for key in self._of_run(run) if key.startswith("confirmation/")]
        if kept != self._of_run(run):
            self._remember(run, kept)

    def _of_run(self, run: str) -> list[str]:
        if run not in self._known:
            try:
                kept = self._cache().fetch(BANK, _KEY)
            except RolloutError:
                kept = {}
            keys = kept.get("keys") if isinstance(kept, dict) and kept.get("run") == run else ()
            self._known = {run: [str(key) for key in keys or ()]}
        return self._known[run]

    def _remember(self, run: str, keys: list[str]) -> None:
        self._known = {run: keys}
        try:
            self._cache().store(BANK, _KEY, {"run": run, "keys": keys})
        except RolloutError as error:
            log.warning("%s", error)

    def _start(self, due: _Due) -> None:
        with self._changed:
            self._left += 1
            if self._left == 1:
                threading.Thread(target=self._work, name="notifications", daemon=True).start()
        self._waiting.put(due)

    def _work(self) -> None:
        while True:
            due = self._waiting.get()
            try:
                self._tell(due)
            except ImportError as error:
                log.warning("%s was not told: %s", due.told.title, error)
            with self._changed:
                self._left -= 1
                self._changed.notify_all()
                if not self._left:
                    return

    def _tell(self, due: _Due) -> None:
        """Try once; who cannot be reached is tried again when everything else was tried."""
        time.sleep(RETRY if due.tried else 0)
        urls, wrong = _urls(self._opts, due.model)
        for line in wrong if not due.tried else ():
            log.warning("%s was not told: %s", due.told.title, line)
        wanted = {number: url for number, url in urls.items() if due.to is None or number in due.to}
        # One by one: who got it does not get it again.
        left = [number for number, url in wanted.items() if not self._sent(url, due.told)]
        if left and due.tried + 1 < TRIES:
            self._start(due._replace(to=left, tried=due.tried + 1))
            return
        for number in left:
            log.warning("%s was not told to number %d of openstack:notifications:to", due.told.title, number)

    def _sent(self, url: str, told: Told) -> bool:
        try:
            return self._send([url], told.title, "\n".join(told.lines) or told.title)
        except ImportError:
            raise
        except Exception as error:  # apprise's own; what it says may have a URL in it
            log.warning("apprise: %s", type(error).__name__)
            return False
