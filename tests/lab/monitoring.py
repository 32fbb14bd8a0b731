"""A real Prometheus and a real Alertmanager inside a lab.

They scrape a page that tests write, and the master's own metrics, which a file server hands out in node
exporter's place.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import yaml

from . import settings
from .cloud import Lab
from .enclosure import LabError, wait_for
from .openstack import inside

PROMETHEUS, ALERTMANAGER, _PAGE = 19090, 19093, 19100
#: What makes an alert of the tests one of theirs: those that are shipped are critical, too.
OURS = 'team="lab"'
_ADDRESS = "http://127.0.0.1:{}"
_METRICS = "rollout.prom"
_SHIPPED = settings.CHECKOUT / "contrib/prometheus/openstack-rollout.rules.yml"


class Monitoring:
    """The servers of one lab; a context manager. Both scrape and evaluate each second.

    lab: the lab, which is up. rules: alert → expression over the page's metrics.
    """

    def __init__(self, lab: Lab, rules: dict[str, str]) -> None:
        self._lab = lab
        self._folder = lab.home / "monitoring"
        self._session = inside.session(lab.network_namespace)
        self._processes: list[subprocess.Popen] = []
        (self._folder / "page").mkdir(parents=True)
        self.write()
        self._configure(rules)

    @property
    def declared(self) -> dict[str, dict[str, str]]:
        """openstack:monitoring of these servers."""
        ports = {"prometheus": PROMETHEUS, "alertmanager": ALERTMANAGER}
        return {name: {"address": _ADDRESS.format(port)} for name, port in ports.items()}

    def __enter__(self) -> Monitoring:
        page = str(self._folder / "page")
        for command in (
            ["python3", "-m", "http.server", str(_PAGE), "--bind=127.0.0.1", f"--directory={page}"],
            [
                *("prometheus", f"--config.file={self._folder}/prometheus.yml"),
                *(f"--storage.tsdb.path={self._folder}/tsdb", f"--web.listen-address=127.0.0.1:{PROMETHEUS}"),
            ],
            [
                *("prometheus-alertmanager", f"--config.file={self._folder}/alertmanager.yml"),
                *(f"--storage.path={self._folder}/alerts", "--cluster.listen-address="),
                f"--web.listen-address=127.0.0.1:{ALERTMANAGER}",
            ],
            ["salt-run", "rollout.metrics", f"output={page}/{_METRICS}", "every=2"],
        ):
            with (self._folder / f"{len(self._processes)}.log").open("w") as log:
                self._processes.append(self._lab.popen_master(command, stdout=log, stderr=log))
        if not wait_for(self._ready, 120, 1):
            raise LabError(f"the monitoring does not answer; its logs are in {self._folder}")
        return self

    def __exit__(self, *_exception: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        shutil.rmtree(self._folder)

    def write(self, **metrics: float) -> None:
        """Write the page: these metrics, and no others."""
        text = "".join(f"{name} {value}\n" for name, value in metrics.items())
        scratch = self._folder / "page.new"
        scratch.write_text(text)
        scratch.rename(self._folder / "page" / "metrics")

    def query(self, expression: str) -> dict[str, float]:
        """What Prometheus says: labels, as text → value."""
        answer = self._get(PROMETHEUS, "/api/v1/query", query=expression)["data"]["result"]
        return {json.dumps(one["metric"], sort_keys=True): float(one["value"][1]) for one in answer}

    def firing(self) -> set[str]:
        """The names of the alerts that Alertmanager has as active."""
        found = self._get(ALERTMANAGER, "/api/v2/alerts")
        return {one["labels"]["alertname"] for one in found if one["status"]["state"] == "active"}

    def silences(self) -> list[dict[str, Any]]:
        """The silences that are in force."""
        return [
            one for one in self._get(ALERTMANAGER, "/api/v2/silences") if one["status"]["state"] == "active"
        ]

    def until(self, holds: Callable[[], Any], what: str, timeout: float = 90) -> float:
        """Wait until something holds; when that was seen (time.time()). Raises LabError."""
        if not wait_for(holds, timeout, 0.2):
            raise LabError(f"not within {timeout:.0f} s: {what}")
        return time.time()

    def _get(self, port: int, path: str, **parameters: str) -> Any:
        answer = self._session.get(_ADDRESS.format(port) + path, params=parameters, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def _ready(self) -> bool:
        try:
            told = self.query("openstack_rollout_metrics_timestamp_seconds")
            return bool(told) and isinstance(self.silences(), list)
        except OSError:  # of requests
            return False

    def _configure(self, rules: dict[str, str]) -> None:
        labels = {"severity": "critical", **dict([OURS.replace('"', "").split("=")])}
        alerts = [{"alert": name, "expr": text, "labels": labels} for name, text in rules.items()]
        once = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        scraped = [
            {
                "job_name": name,
                "metrics_path": f"/{path}",
                "static_configs": [{"targets": [f"127.0.0.1:{_PAGE}"]}],
            }
            for name, path in (("page", "metrics"), ("rollout", _METRICS))
        ]
        to = [{"static_configs": [{"targets": [f"127.0.0.1:{ALERTMANAGER}"]}]}]
        for name, content in {
            "rules.yml": {"groups": [{"name": "lab", "rules": alerts}]},
            "prometheus.yml": {
                **{"global": once, "rule_files": ["rules.yml", str(_SHIPPED)], "scrape_configs": scraped},
                "alerting": {"alertmanagers": to},
            },
            "alertmanager.yml": {"route": {"receiver": "none"}, "receivers": [{"name": "none"}]},
        }.items():
            (self._folder / name).write_text(yaml.safe_dump(content))


class SilenceWitness:
    """Notes which nodes are silenced, again and again. seen: (seconds since the epoch, nodes)."""

    def __init__(self, monitoring: Monitoring) -> None:
        self.seen: list[tuple[float, frozenset[str]]] = []
        self._monitoring = monitoring
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> SilenceWitness:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        looked = self._thread.is_alive()
        self._over.set()
        self._thread.join(30)
        if not (looked or kind):
            raise LabError("nobody looked at the silences to the end: an answer was missing")

    def _look(self) -> None:
        while not self._over.wait(0.5):
            asked = time.time()
            nodes = {
                matcher["value"]
                for one in self._monitoring.silences()
                for matcher in one["matchers"]
                if matcher["name"] == "instance"
            }
            self.seen.append((asked, frozenset(nodes)))
