"""What is deployed on a simulated node: what a test wrote down for it, in place of engines and systemd."""

import json
from pathlib import Path


def report(units=(), packages=()):
    """The answer that a test wrote."""
    return json.loads((Path(__opts__["cachedir"]) / "simulated_deployed.json").read_text())
