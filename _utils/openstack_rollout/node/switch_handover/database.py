"""A new database server beside the old one, which is suspended meanwhile: the old switch notices nothing.

A userspace switch stops forwarding as soon as its database server closes the connection, for one to three
seconds. So the old server is not ended but suspended (SIGSTOP): the switch waits for an answer, and forwards.
The new server runs on a copy of the database, converted where it has to be, and listens where the old one
did. Until `commit` everything can be put back, and the old server resumes: it has not yet answered requests
of that time, so its clients lose nothing.

The names of files that are put aside contain the old server's process, so that `recover` can put them back.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from openstack_rollout.node.switch_handover import RUN, Failed, NotPossible, printed, run, wait_until
from openstack_rollout.node.switch_handover.pidfile import Pidfile
from openstack_rollout.node.switch_handover.process import Process
from openstack_rollout.records.state_file import force

DAEMON, _CLIENT = "ovsdb-server", "ovsdb-client"
#: The lock in the database that only the active switch holds.
_LOCK = "ovs_vswitchd"
_LISTENS = "--remote=punix:"
_PATIENCE = 20.0  # seconds for the new server to listen, and for the lock
_BASE = "Open_vSwitch"
#: Where the server also listens: the switch's own start adds it.
_MANAGERS = f"db:{_BASE},{_BASE},manager_options"


class Database:
    """The database server that runs, and the one that replaces it.

    Args:
        pid: The process of the old one.

    Raises:
        NotPossible: That process is no database server as its service starts it.
    """

    def __init__(self, pid: int) -> None:
        self._old = Process(pid)
        words = self._old.arguments
        if self._old.name != DAEMON:
            raise NotPossible(f"the process {pid} is no {DAEMON}, but {self._old.name}")
        files = [word for word in words[1:] if not word.startswith("-")]
        sockets = [word.removeprefix(_LISTENS) for word in words if word.startswith(_LISTENS)]
        if len(files) != 1 or len(sockets) != 1 or "--monitor" in words:
            raise NotPossible(f"{DAEMON} does not run as its service starts it: {' '.join(words)}")
        self._file = Path(files[0]).resolve()
        self._socket = Path(sockets[0]).resolve()
        self._pidfile = Pidfile(DAEMON, pid)
        self._holder = RUN / f"{_CLIENT}.after-{pid}.pid"
        self._remotes = {_MANAGERS}
        self._converted = False

    def replace(self, schema: str) -> None:
        """Suspend the old server, and have a new one listen; when that fails, the old one resumes.

        Args:
            schema: The file of the installed schema.

        Raises:
            NotPossible: A new one cannot be started as the old one was.
            Failed: It does not start, or does not answer.
        """
        self._remotes = _remotes(self._old.pid)
        try:
            os.kill(self._old.pid, signal.SIGSTOP)
            wait_until(lambda: self._old.state in "Tt", _PATIENCE, f"{DAEMON} does not stop")
            self._put_aside(schema)
            new = self._start()
            if new.domain() != self._old.domain():
                raise NotPossible(
                    f"the new {DAEMON} would run as {new.domain()}, not as {self._old.domain()}"
                )
            self._introduce(schema)
        except BaseException:
            self.put_back()
            raise

    def hold_lock(self) -> None:
        """Hold the switch's lock at the new server. Whoever waits for it gets it after `unlock`."""
        # The process that holds it outlives this program, or two switches could be active at once.
        with tempfile.TemporaryFile("w+") as said:
            command = [_CLIENT, "lock", f"unix:{self._socket}", _LOCK]
            holder = subprocess.Popen(command, stdout=said, stderr=said)
            self._holder.write_text(str(holder.pid), encoding="ascii")
            wait_until(
                lambda: '"locked":true' in printed(said) or holder.poll() is not None, _PATIENCE, "no lock"
            )
            if holder.poll() is not None:
                raise Failed(f"the new {DAEMON} gives no lock: {printed(said)[-300:]}")

    def unlock(self) -> None:
        """Give the lock up, so that the new switch becomes active."""
        with contextlib.suppress(OSError, ValueError):
            holder = Process(int(self._holder.read_text(encoding="ascii")))
            if holder.name == _CLIENT:
                os.kill(holder.pid, signal.SIGKILL)
        self._holder.unlink(missing_ok=True)

    @property
    def interrupted(self) -> bool:
        """Whether files are put aside, or the old server is suspended."""
        return self._old.state in "Tt" or any(aside.exists() for _, aside in self._places())

    @property
    def has_follower(self) -> bool:
        """Whether the new server was started."""
        return self._pidfile.written

    def put_back(self) -> None:
        """End the new server, if there is one, put the old one's files back, and have it resume."""
        self._pidfile.end()
        self.unlock()
        for place, aside in self._places():
            if aside.exists():
                aside.replace(place)
                aside.unlink(missing_ok=True)  # `replace` does nothing when both are the same file
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._old.pid, signal.SIGCONT)

    def commit(self) -> str:
        """End the old server for good, and make the new one the service's.

        Returns:
            The places to listen at that the new one refused, "" when it refused none.
        """
        self.unlock()
        new = self._pidfile.pid()
        # systemd looks into the file when the old one ends.
        self._pidfile.adopt()
        with contextlib.suppress(ProcessLookupError):
            # It must not answer requests any more: it would write to the database that is not used any more.
            os.kill(self._old.pid, signal.SIGKILL)
        wait_until(lambda: not self._old.alive, _PATIENCE, f"{DAEMON} does not end")
        _control(self._old.pid).unlink(missing_ok=True)
        for place, aside in self._places():
            if self._converted and place == self._file:
                aside.replace(_backup(aside, place))
            aside.unlink(missing_ok=True)
        refused = []
        for remote in self._remotes - _remotes(new):
            added = run([*_appctl(new), "ovsdb-server/add-remote", remote])
            refused += [f"{remote}: {added.stderr.strip()[-200:]}"] if added.returncode else []
        return "; ".join(refused)

    def _places(self) -> list[tuple[Path, Path]]:
        """The files that the new server makes anew, each with the place of the old one's meanwhile."""
        lock = self._file.with_name(f".{self._file.name}.~lock~")
        places = [self._file, lock, self._socket]
        return [(one, one.with_name(f"{one.name}.before-{self._old.pid}")) for one in places]

    def _put_aside(self, schema: str) -> None:
        """Put a copy in the database's place; the old server keeps the file that it has open."""
        (_, database), (lock, lock_aside), (socket, socket_aside) = self._places()
        with tempfile.TemporaryDirectory(dir=self._file.parent, prefix=".handover-") as place:
            copy = self._copy(schema, Path(place))
            about = self._file.stat()
            shutil.copystat(self._file, copy)
            os.chown(copy, about.st_uid, about.st_gid)
            force(copy)
            os.link(self._file, database)
            os.link(socket, socket_aside)
            lock.rename(lock_aside)
            copy.replace(self._file)
            force(self._file.parent)

    def _copy(self, schema: str, place: Path) -> Path:
        """A copy of the database with the installed schema."""
        copy, converted = place / "copy.db", place / "converted.db"
        due = run(["ovsdb-tool", "needs-conversion", str(self._file), schema])
        if due.returncode:
            raise Failed(f"{self._file}: {due.stderr.strip()[-300:]}")
        if due.stdout.strip() != "yes":
            shutil.copyfile(self._file, copy)
            return copy
        # The switch's own start compacts first, too: a new schema may drop rows that nothing refers to, and
        # in a log that is not compacted a row may come before the first reference to it.
        compact = run(["ovsdb-tool", "compact", str(self._file), str(copy)])
        source = self._file if compact.returncode else copy
        tried = run(["ovsdb-tool", "convert", str(source), schema, str(converted)])
        if tried.returncode:
            raise Failed(f"{self._file} cannot be converted: {tried.stderr.strip()[-300:]}")
        self._converted = True
        return converted

    def _start(self) -> Process:
        with tempfile.TemporaryFile("w+") as words:
            self._pidfile.make()
            starting = self._old.start_another(self._pidfile.path, words)
            try:
                late = f"the new {DAEMON} does not listen"
                wait_until(lambda: starting.poll() is not None, _PATIENCE, late)
            except Failed:
                starting.kill()
                starting.wait()
                raise
            if starting.returncode or not self._pidfile.written:
                raise Failed(f"the new {DAEMON} does not start: {printed(words)[-300:]}")
        return Process(self._pidfile.pid())

    def _introduce(self, schema: str) -> None:
        """Write the versions into the database, as the switch's own start does."""
        versions = [run(["ovsdb-tool", "schema-version", schema]), run(["ovs-vswitchd", "--version"])]
        if any(one.returncode for one in versions):
            raise Failed(f"the installed versions cannot be read: {versions}")
        schema_is, switch_is = (one.stdout.splitlines()[0].split()[-1] for one in versions)
        done = run(
            [
                *("ovs-vsctl", f"--db=unix:{self._socket}", "--timeout=10", "--no-wait", "--", "init", "--"),
                *("set", _BASE, ".", f"db-version={schema_is}", f"ovs-version={switch_is}"),
            ]
        )
        if done.returncode:
            raise Failed(f"the new {DAEMON} does not answer: {done.stderr.strip()[-300:]}")


def recover() -> None:
    """Finish or undo a handover that was killed: the old server may be suspended, and its files put aside."""
    try:
        database = Database(_pid(DAEMON))
    except (Failed, OSError, ValueError):
        return  # no server, or none that a handover suspends
    if not database.interrupted:
        return
    try:
        switch_lives = Process(_pid("ovs-vswitchd")).alive
    except (OSError, ValueError):
        switch_lives = False
    if switch_lives or not database.has_follower:
        database.put_back()
    else:
        database.commit()


def _remotes(pid: int) -> set[str]:
    """Where a server listens, and whom it connects to, also what was added after its start."""
    listed = run([*_appctl(pid), "ovsdb-server/list-remotes"])
    if listed.returncode:
        raise Failed(f"{DAEMON} does not answer: {listed.stderr.strip()[-300:]}")
    return set(listed.stdout.split())


def _pid(daemon: str) -> int:
    return int((RUN / f"{daemon}.pid").read_text(encoding="ascii"))


def _appctl(pid: int) -> list[str]:
    return ["ovs-appctl", "--timeout=10", f"--target={_control(pid)}"]


def _control(pid: int) -> Path:
    """The socket at which ovs-appctl reaches a server. It stays when the server is killed."""
    return RUN / f"{DAEMON}.{pid}.ctl"


def _backup(database: Path, place: Path) -> Path:
    """The place for a database before its conversion, named as the switch's own start does."""
    said = [run(["ovsdb-tool", word, str(database)]).stdout.split() for word in ("db-version", "db-cksum")]
    version, checksum = (words[0] if words else "" for words in said)
    return place.with_name(f"{place.name}.backup{version}-{checksum}")
