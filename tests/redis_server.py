"""A real redis-server of a test's own, on a unix socket: Debian's package of that name."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import redis

WITHIN = 60  # seconds for it to answer, also on a busy machine


class RedisServer:
    """What masters share. folder: where it keeps its data, and its socket; its path is short."""

    def __init__(self, folder: Path):
        self.socket = folder / "redis.sock"
        self._command = ["redis-server", "--port", "0", "--unixsocket", str(self.socket)]
        self._command += ["--dir", str(folder), "--appendonly", "yes", "--appendfsync", "always"]
        self._command += ["--logfile", str(folder / "log")]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def options(self):
        """What a master is configured with."""
        return {"cache": "redis", "cache.redis.unix_socket_path": str(self.socket)}

    def client(self):
        """A connection of a test."""
        return redis.Redis(unix_socket_path=str(self.socket), decode_responses=True)

    def start(self):
        """Start it, with what it had written."""
        self._process = subprocess.Popen(self._command)
        end = time.monotonic() + WITHIN
        while True:
            try:
                with self.client() as client:
                    client.ping()
                return
            except redis.ConnectionError:
                assert self._process.poll() is None and time.monotonic() < end, "redis-server does not answer"
                time.sleep(0.05)

    def stop(self):
        """Kill it."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number):
        """Send it a signal: one that stops it leaves its clients waiting."""
        self._process.send_signal(number)
