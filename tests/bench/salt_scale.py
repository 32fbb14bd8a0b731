"""`make bench-salt`: what a real master takes for many simulated minions, size by size, in one run.

Each size has a master and minions of its own, twenty releases, and is asked for its status, updated as a
whole, and updated again, which has nothing to do. Prints a table, and leaves the figures in
build/bench-salt.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.bench import compare
from tests.bench.compare import CHECKOUT
from tests.unit import cloud_pillar, simulated_fleet

RELEASES = 20
IMAGES = 100  # of each, beside those of the nodes
TOGETHER = 50  # minions in a process
OLD, NEW = "1.0.0", "1.0.1"
LONGEST = 7200  # seconds for a command
#: What is asked, one after the other: its name, the target that is declared before, the runner's function.
COMMANDS = (("status", OLD, "rollout.status"), ("update", NEW, "rollout.run"), ("no_op", NEW, "rollout.run"))
SHOWN = ("exit", "silent", "seconds", "ms_a_node", "master_cpu_s", "engine_cpu_s", "cpu_ms_a_node")


def pillar(target: str) -> dict[str, Any]:
    """The operator's page: releases as long as real ones, of which these nodes need a little."""
    openstack = simulated_fleet.pillar(target, ("compute", "gateway"))
    known = {
        f"other{one}_image": f"registry.example/other{one}@{cloud_pillar.digest(NEW)}"
        for one in range(IMAGES)
    }
    for key in known:
        openstack["service_types"][key] = {
            "image": key,
            "container": key,
            "roles": ["controller"],
            "stage": "control_plane",
            "enabled": False,
        }
    for number in range(RELEASES):
        version = f"1.0.{number}"
        own = {
            f"{stage}_image": f"registry.example/{stage}@{simulated_fleet.digest(stage, version)}"
            for stage in simulated_fleet.CONTAINERS
        }
        packages = dict.fromkeys(simulated_fleet.PACKAGES.values(), version)
        openstack["releases"][version] = {"images": {**known, **own}, "packages": packages}
    openstack["policies"] = {"compute": {"batch": "20%", "max_failures": 0}, "gateway": {"batch": "20%"}}
    return openstack


class Master:
    """A real one, with etc/master's configuration, and simulated minions. A context manager."""

    def __init__(self, folder: Path, nodes: int, checkout: Path, large: bool):
        self._folder = folder
        self._checkout = checkout
        self._nodes = nodes
        self._processes: list[subprocess.Popen[str]] = []
        own = yaml.safe_load(
            (checkout / "etc/master").read_text().replace("/srv/openstack-rollout", str(checkout))
        )
        own["pillar_roots"]["base"] = [str(folder / "pillar")]
        if large:
            own |= yaml.safe_load((checkout / "etc/master.large").read_text())
        ports = {"publish_port": 24505, "ret_port": 24506}
        (folder / "master").write_text(
            yaml.safe_dump(
                {
                    **own,
                    **ports,
                    "interface": "127.0.0.1",
                    "root_dir": str(folder / "root"),
                    "sock_dir": str(folder / "sock"),
                    "pki_dir": str(folder / "pki"),
                    "cachedir": str(folder / "cache"),
                    "log_file": str(folder / "log"),
                    "pidfile": str(folder / "pid"),
                    "auto_accept": True,
                    "user": "root",
                    "log_level_logfile": "warning",
                }
            )
        )
        (folder / "pillar").mkdir()

    def __enter__(self) -> Master:
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _begin(self) -> None:
        self.declare(OLD)
        self._start("salt-master", "-c", str(self._folder), "--log-level=quiet", of=self._checkout)
        subprocess.run(
            [
                _script("salt-key"),
                "-c",
                str(self._folder),
                "--gen-keys=minion",
                f"--gen-keys-dir={self._folder}",
            ],
            check=True,
            capture_output=True,
        )
        names = [f"gateway{one}" for one in range(1, max(2, self._nodes // 10) + 1)]
        names += [f"compute{one}" for one in range(1, self._nodes - len(names) + 1)]
        for first in range(0, len(names), TOGETHER):
            self._minions(names[first : first + TOGETHER])
        waiting = len(self._processes) - 1
        until = time.monotonic() + LONGEST
        while sum("connected" in path.read_text() for path in self._folder.glob("*.out")) < waiting:
            assert time.monotonic() < until and all(one.poll() is None for one in self._processes)
            time.sleep(0.5)

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            with suppress(psutil.NoSuchProcess):
                family = psutil.Process(process.pid).children(recursive=True)
                process.kill()
                for one in family:
                    with suppress(psutil.NoSuchProcess):
                        one.kill()
            process.wait()

    def declare(self, target: str) -> None:
        """Set the target."""
        (self._folder / "pillar/top.sls").write_text(yaml.safe_dump({"base": {"*_master": ["openstack"]}}))
        page = yaml.safe_dump({"openstack": pillar(target)})
        (self._folder / "pillar/openstack.sls").write_text(page)

    def run(self, *arguments: str) -> dict[str, Any]:
        """A command of salt-run: how it ended, its seconds, and the CPU seconds of the master and its own."""
        before, began = self._cpu(), time.monotonic()
        children = os.times()
        command = [
            _script("salt-run"),
            "-c",
            str(self._folder),
            "--log-level=quiet",
            *arguments,
            "--out=json",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
        took, own = time.monotonic() - began, os.times()
        engine = own.children_user + own.children_system - children.children_user - children.children_system
        return {
            "exit": done.returncode,
            "seconds": round(took, 1),
            "master_cpu_s": round(self._cpu() - before, 1),
            "engine_cpu_s": round(engine, 1),
            "silent": done.stdout.count("NODE_SILENT"),
            "said": (done.stdout + done.stderr)[-2000:] if done.returncode else "",
        }

    def _cpu(self) -> float:
        master = psutil.Process(self._processes[0].pid)
        return sum(sum(one.cpu_times()[:4]) for one in [master, *master.children(recursive=True)])

    def _minions(self, names: list[str]) -> None:
        folder = self._folder / names[0]
        folder.mkdir()
        of_master = {
            "master": "127.0.0.1",
            "master_port": 24506,
            "publish_port": 24505,
            "transport": "zeromq",
        }
        more = {"master_ip": "127.0.0.1", "master_uri": "tcp://127.0.0.1:24506"}
        given = {"folder": str(folder), "overrides": {**of_master, **more}, "names": names, "at": OLD}
        self._start(sys.executable, "-m", "tests.bench.simulated_minions", json.dumps(given))

    def _start(self, program: str, *arguments: str, of: Path = CHECKOUT) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{of}:{of / '_utils'}"}
        with (self._folder / f"{len(self._processes)}.out").open("w") as out:
            command = [_script(program), *arguments]
            started = subprocess.Popen(command, stdout=out, stderr=out, text=True, env=environment, cwd=of)
        self._processes.append(started)


def _script(name: str) -> str:
    return name if "/" in name else str(Path(sys.executable).with_name(name))


def measured(checkout: Path, nodes: int, large: bool) -> dict[str, Any]:
    """The figures of one size, of a checkout's code."""
    with (
        tempfile.TemporaryDirectory(prefix="bs") as place,
        Master(Path(place), nodes, checkout, large) as master,
    ):
        found: dict[str, Any] = {"nodes": nodes}
        for name, target, command in COMMANDS:
            master.declare(target)
            found[name] = master.run(command)
            print(f"{nodes} {name}: {json.dumps(found[name])}", file=sys.stderr, flush=True)
        return found


def shown(found: dict[str, Any]) -> list[dict[str, Any]]:
    """A size's commands as rows, with what each costs for a node."""
    nodes = found["nodes"]
    return [
        {
            **{"nodes": nodes, "command": name, **found[name]},
            "ms_a_node": round(1000 * found[name]["seconds"] / nodes),
            "cpu_ms_a_node": round(
                1000 * (found[name]["master_cpu_s"] + found[name]["engine_cpu_s"]) / nodes
            ),
        }
        for name, _, _ in COMMANDS
    ]


def table(figures: list[dict[str, Any]]) -> str:
    """A line for each size and command. A cost for a node that stays the same grows with the nodes."""
    lines = [f"{'nodes':>6} {'command':8}" + "".join(f"{name:>14}" for name in SHOWN)]
    for row in (row for one in figures for row in shown(one)):
        lines.append(f"{row['nodes']:>6} {row['command']:8}" + "".join(f"{row[key]:>14}" for key in SHOWN))
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and leave it in a file, after each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", default="100,300", help="sizes of the clouds")
    parser.add_argument(
        "--checkout", type=Path, default=CHECKOUT, help="another commit's files, measured alike"
    )
    parser.add_argument("--large", action="store_true", help="with etc/master.large")
    given = parser.parse_args()
    figures: list[dict[str, Any]] = []
    for one in given.nodes.split(","):
        figures.append(measured(given.checkout.resolve(), int(one), given.large))
        told = {"checkout": str(given.checkout), "large": given.large, "figures": figures}
        compare.leave("bench-salt", told)
    print(table(figures))


if __name__ == "__main__":
    main()
