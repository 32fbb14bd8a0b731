"""The lab's browser: a program of its own, of the checkout alone."""

import os
import subprocess
import sys

from tests.lab import settings


def test_it_can_be_started_where_no_test_says_where_the_product_is():
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", "import tests.lab.live_page"],
        cwd=settings.CHECKOUT, env=plain, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
