"""salt-call that also writes down which programs it started: `counted_call.py FILE FUNCTION …`, in a machine.

One line of JSON a program, in FILE: its arguments, and how long it took in seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

from salt.scripts import salt_call


def main() -> None:
    """Run salt-call with the arguments after FILE, and count."""
    record = open(sys.argv[1], "w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    started = subprocess.Popen.__init__
    ended = subprocess.Popen._handle_exitstatus

    def start(self, args, *rest, **options):
        self.began = time.monotonic()
        started(self, args, *rest, **options)

    def end(self, *arguments, **options):
        ended(self, *arguments, **options)
        words = [self.args] if isinstance(self.args, str | bytes) else [str(word) for word in self.args]
        took = round(time.monotonic() - self.began, 3)
        record.write(json.dumps({"command": [str(word)[:200] for word in words], "seconds": took}) + "\n")
        record.flush()

    subprocess.Popen.__init__ = start
    subprocess.Popen._handle_exitstatus = end
    sys.argv = ["salt-call", *sys.argv[2:]]
    salt_call()


if __name__ == "__main__":
    main()
