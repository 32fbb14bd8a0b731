"""`make demo`: boot a small cloud at 1.0.0, edit one pillar value, watch it move to 1.0.1, measure it.

Every figure printed comes from the cloud: what the engine says (`rollout.report`, `rollout.status`) is held
against `podman` and `rpm` on each machine before the demo calls itself a success.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from . import operator, proof
from .cloud import Lab
from .settings import CHECKOUT

OLD, NEW = "1.0.0", "1.0.1"


def main() -> int:
    """Run the demo; exit code 0 only when every machine was measured at the new release."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="small", choices=("small", "full"))
    parser.add_argument("--keep", action="store_true", help="leave the lab running afterwards")
    options = parser.parse_args()
    lab = Lab(profile=options.profile)
    try:
        with chapter(f"Boot the lab, profile {options.profile}"):
            lab.down()
            lab.up()
        play(lab)
    finally:
        if options.keep:
            print("\nThe lab stays up: python -m tests.lab status | exec NODE CMD | master salt-run … | down")
        else:
            lab.down()
    return 0


def play(lab: Lab) -> None:
    """The cloud at 1.0.0, the edit, the update, the proof, and the second run that changes nothing."""
    with chapter(f"A cloud at {OLD}, by state.apply: controllers first, then all"):
        operator.install(lab, OLD)
        proof.assert_cloud_at(lab, OLD)
    show(lab, ["salt-run", "rollout.status"])

    with chapter(f"The one edit: target_version: {NEW}"):
        lab.set_pillar(target_version=NEW)
    show(lab, ["salt-run", "rollout.plan"])

    with chapter("salt-run state.orchestrate orch.update"):
        update = lab.popen_master(
            ["salt-run", "state.orchestrate", "orch.update"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        show(lab, ["salt-run", "rollout.watch"])
        printed, _ = update.communicate()
        if update.returncode:
            raise SystemExit(f"the update did not complete:\n{printed}")
    show(lab, ["salt-run", "rollout.report"])

    with chapter("What the machines say (podman, rpm, systemctl)"):
        for line in proof.assert_cloud_at(lab, NEW):
            print("  " + line)

    with chapter("The same command again: nothing to do"):
        before = proof.fingerprint(lab)
        lab.master(["salt-run", "state.orchestrate", "orch.update"], timeout=1800)
        if proof.fingerprint(lab) != before:
            raise SystemExit("the second run changed a machine")
    show(lab, ["salt-run", "rollout.report"])
    show(lab, ["salt-run", "rollout.status"])
    status = lab.master(["salt-run", "rollout.status", "--out=json"]).stdout
    target = CHECKOUT / "build" / "demo.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(json.loads(status), indent=2) + "\n")
    print(f"\nThe final status as JSON: {Path(target).relative_to(CHECKOUT)}")


@contextmanager
def chapter(title: str):
    """Print the title, and afterwards how long the chapter took."""
    print(f"\n== {title}", flush=True)
    start = time.monotonic()
    yield
    print(f"   ({time.monotonic() - start:.0f} s)", flush=True)


def show(lab: Lab, argv: list[str]) -> None:
    """Run a master's command before the reader's eyes, as an operator would type it."""
    print(f"\n$ {' '.join(argv)}", flush=True)
    process = lab.popen_master(argv)
    if process.wait():
        raise SystemExit(f"{' '.join(argv)} failed")


if __name__ == "__main__":
    sys.exit(main())
