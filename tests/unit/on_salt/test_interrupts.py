"""Ctrl-C: the first one only asks, the second one does what Salt's own handler does."""

import subprocess
import sys
from pathlib import Path

UTILS = Path(__file__).resolve().parents[3] / "_utils"
PROGRAM = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from openstack_rollout.on_salt import interrupts
if sys.argv[2] == "salt":
    signal.signal(signal.SIGINT, lambda *_: sys.exit(7))
interrupts.catch()
interrupts.catch()
print(interrupts.asked())
os.kill(os.getpid(), signal.SIGINT)
print(interrupts.asked())
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("left")
"""


def ran(handler):
    words = [sys.executable, "-c", PROGRAM, str(UTILS), handler]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_the_first_asks_and_the_second_leaves():
    done = ran("python")
    assert done.stdout.split() == ["False", "True", "left"] and done.returncode == 0
    assert (
        done.stderr.strip()
        == "Ctrl-C: nodes in flight finish, then the run pauses. Once more: leave at once."
    )


def test_the_second_is_salts_own():
    assert ran("salt").returncode == 7
