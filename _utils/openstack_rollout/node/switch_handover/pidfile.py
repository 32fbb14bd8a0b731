"""The pidfile of a new daemon, in a place of its own until the daemon becomes the service's.

A daemon removes the pidfile that its arguments name when it ends, and the switch's own stop waits two seconds
when the file stays. So the new daemon's pidfile is first in a directory of its own. When it takes the place
of the service's pidfile, that directory becomes a link to the directory around it: the name in the arguments
then means the service's file.
"""

from __future__ import annotations

import contextlib
import os
import signal

from openstack_rollout.node.switch_handover import RUN
from openstack_rollout.node.switch_handover.process import Process


class Pidfile:
    """The pidfile of a new daemon.

    Args:
        daemon: The daemon's name.
        old: The process that it replaces.
    """

    def __init__(self, daemon: str, old: int) -> None:
        self._daemon = daemon
        self._place = RUN / f"{daemon}.after-{old}"
        self.path = self._place / f"{daemon}.pid"

    def make(self) -> None:
        """Make its directory, which the daemon's user may write to."""
        if self._place.is_symlink():
            self._place.unlink()  # of a process that had the number before
        self._place.mkdir(mode=0o755)
        about = RUN.stat()
        os.chown(self._place, about.st_uid, about.st_gid)

    @property
    def written(self) -> bool:
        """Whether the new daemon runs, and is not the service's yet."""
        return not self._place.is_symlink() and self.path.exists()

    def pid(self) -> int:
        """The new daemon's process. Raises OSError or ValueError where there is none."""
        return int(self.path.read_text(encoding="ascii"))

    def adopt(self) -> None:
        """Make it the service's pidfile."""
        self.path.replace(RUN / self.path.name)
        self._place.rmdir()
        self._place.symlink_to(".")
        for other in RUN.glob(f"{self._daemon}.after-*"):
            if other.is_symlink() and other != self._place:
                other.unlink()

    def end(self, started: bool = True) -> None:
        """End a new daemon that is not the service's.

        Args:
            started: Whether this program started it. Otherwise its name is checked first.
        """
        if self._place.is_symlink():
            return
        with contextlib.suppress(OSError, ValueError):
            found = self.pid()
            if started or Process(found).name == self._daemon:
                os.kill(found, signal.SIGKILL)
                (RUN / f"{self._daemon}.{found}.ctl").unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._place.rmdir()


def strays(daemon: str) -> list[Pidfile]:
    """The pidfiles of new daemons that a handover which was killed did not end.

    Args:
        daemon: The daemons' name.
    """
    return [
        Pidfile(daemon, int(place.name.rpartition("-")[2]))
        for place in RUN.glob(f"{daemon}.after-*")
        if place.is_dir() and not place.is_symlink()
    ]
