"""The live page of a lab: Salt's API over the lab's master, and a browser that watches it.

The browser is a process of its own in the lab's network (`python -m tests.lab.live_page`), which alone
reaches the API. It takes a picture when it is told to, and notes each second what the page shows.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import yaml

from tests.integration import salt_api
from tests.integration.browser import Browser

from .acceptance.eyes.page.seconds import Seconds
from .cloud import Lab
from .enclosure import LabError, wait_for

_NAME = "otto"  # who may look, and nothing else
_ENDED = {"Completed", "Completed, with open ends", "Incomplete", "Interrupted", "Aborted", "Paused"}


class LivePage:
    """Salt's API as shipped, and a browser that watches. A context manager; the master starts anew for it."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.folder = lab.home / "live"
        self._settings = salt_api.configuration(self.folder)
        (lab.home / "salt/master.d").mkdir(exist_ok=True)
        (lab.home / "salt/master.d/live.conf").write_text(yaml.safe_dump(self._settings))
        (self.folder / "settings.json").write_text(json.dumps(self._settings))
        self._processes: list[subprocess.Popen] = []

    def __enter__(self) -> LivePage:
        self._lab.kill("master")
        self._lab.start("master")
        self._lab.wait_for_minions()
        self._lab.master(["salt-run", "rollout.page", f"output={self._settings['rollout_api']['app']}"])
        self._start(["salt-api"])
        self._start([sys.executable, "-m", "tests.lab.live_page", str(self.folder)])
        if not wait_for((self.folder / "watching").exists, 300, 1):
            raise LabError(f"nobody watches the page; the logs are in {self.folder}")
        return self

    def __exit__(self, *_exception: object) -> None:
        for process in self._processes:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def picture(self, name: str) -> None:
        """Have a picture taken."""
        (self.folder / f"{name}.wanted").touch()

    def seen(self, within: float) -> dict:
        """What was seen once the page shows an end: {"looks", "word", "complaints", "pictures"}.

        within: seconds until then. Raises LabError.
        """
        place = self.folder / "seen.json"
        if not wait_for(place.exists, within, 1):
            raise LabError(f"the page shows no end; the logs are in {self.folder}")
        return json.loads(place.read_text())

    def _start(self, command: list[str]) -> None:
        with (self.folder / f"{len(self._processes)}.log").open("w") as log:
            self._processes.append(self._lab.popen_master(command, stdout=log, stderr=log))


def printed(file: Path, scratch: Path) -> Path:
    """Print a page into a PDF beside it; returns its path. scratch: a folder that is thrown away."""
    target = file.with_suffix(".pdf")
    headless = ["/usr/bin/chromium", "--headless", "--no-sandbox", f"--user-data-dir={scratch}/profile"]
    subprocess.run([*headless, f"--print-to-pdf={target}", f"file://{file}"], check=True, timeout=300)
    return target


def watch(folder: Path) -> None:
    """Watch the page until it shows that the run has ended. folder: where settings are, and results go."""
    os.environ["ROLLOUT_PICTURES"] = str(folder)
    pictures = []
    settings = json.loads((folder / "settings.json").read_text())
    # A page that does not come is a complaint of the browser's.
    if not wait_for(lambda: _is_served(settings["rollout_api"]["port"]), 120, 1):
        raise LabError("Salt's API does not listen")
    with Browser(settings) as browser:
        browser.open(_NAME)
        browser.until(lambda: browser.is_shown("page"), "the page does not come")
        looks, before = Seconds(browser), browser.text("word")
        (folder / "watching").touch()
        began = False
        while not began or browser.text("word") not in _ENDED:
            began = began or browser.text("word") not in {before, *_ENDED}
            for wanted in sorted(folder.glob("*.wanted")):
                browser.picture(wanted.stem)
                pictures.append(wanted.stem)
                wanted.unlink()
            time.sleep(0.5)
        time.sleep(3)
        browser.picture("end")
        found = {
            "looks": looks.seen(),
            "word": browser.text("word"),
            "verbs": sorted(browser.verbs()),
            "complaints": browser.complaints(),
            "pictures": [*pictures, "end"],
        }
    aside = folder / "seen.new"
    aside.write_text(json.dumps(found))
    aside.rename(folder / "seen.json")


def _is_served(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
