"""What figures of a benchmark were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]


def about() -> dict[str, Any]:
    """The commit, the date and the machine."""
    head = ["git", "describe", "--always", "--dirty"]
    described = subprocess.run(head, capture_output=True, text=True, check=True, cwd=CHECKOUT)
    return {
        "commit": described.stdout.strip(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": {
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
    }
