"""Reading who is in the lab while groups come and go."""

import os
import threading

from tests.lab.enclosure import Enclosure


def test_members_are_read_while_subgroups_vanish(tmp_path, monkeypatch):
    root = tmp_path / "cgroup"
    deep = root / "machine" / "payload" / "service"
    deep.mkdir(parents=True)
    (deep / "cgroup.procs").write_text("41\n42\n")
    enclosure = Enclosure(tmp_path / "home")
    monkeypatch.setattr(enclosure, "_cgroup", root)
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            for number in range(20):
                os.makedirs(root / "machine" / f"check-{number}" / "inner", exist_ok=True)
            for number in range(20):
                os.removedirs(root / "machine" / f"check-{number}" / "inner")

    health_checks = threading.Thread(target=churn)
    health_checks.start()
    try:
        found = [enclosure.members("machine") for _ in range(300)]
    finally:
        stop.set()
        health_checks.join()
    assert found == [[41, 42]] * 300
