"""Faults of the master, of the run itself and of what the operator declares."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from .. import settings
from .matrix import Case

_JOURNAL = "salt/var/cache/salt/master/openstack/rollout"
METADATA = "edpm_neutron_metadata_agent_image"


def page(**keys: object) -> Callable[[Case], None]:
    """The operator's page has these keys beside the target."""
    return lambda case: case.lab.set_pillar(**{"target_version": case.version} | keys)


def release_does_not_render(case: Case) -> None:
    """A file of the pillar is no YAML."""
    place = case.lab.pillar.place / "openstack/releases" / f"{case.version.replace('.', '_')}.sls"
    case.kept["release"] = place, place.read_text()
    place.write_text("openstack: {releases: {")


def release_renders(case: Case) -> None:
    """The file is as it was."""
    place, text = case.kept["release"]
    place.write_text(text)


def digest_missing(lab) -> dict[str, str]:
    """An image that the registry does not have."""
    name = lab.releases[settings.RELEASES[0]]["images"][METADATA].partition("@")[0]
    return {METADATA: f"{name}@sha256:{'0' * 64}"}


def image(name: str) -> Callable:
    """One of the lab's own images: broken, unhealthy."""
    return lambda lab: {METADATA: lab.images[name]}


def digest_edited(case: Case) -> None:
    """Somebody writes another digest into the release that the run is for."""
    images = case.lab.releases[case.version]["images"]
    others = [case.lab.releases[one]["images"][METADATA] for one in settings.RELEASES]
    other = next(one for one in others if one != images[METADATA])
    case.lab.add_release(
        case.version, like=case.version, packages_like=case.version, images={METADATA: other}
    )


def target_edited(case: Case) -> None:
    """Somebody names another target."""
    case.lab.set_pillar(target_version=settings.RELEASES[0])


def journal_garbage(case: Case) -> None:
    """A power cut of the master left garbage in the record of the last run."""
    records = sorted(
        (case.lab.home / _JOURNAL).rglob("*.p"), key=lambda path: path.stat().st_mtime, reverse=True
    )
    damaged = next(path for path in records if "run" in str(path.relative_to(case.lab.home / _JOURNAL)))
    damaged.write_bytes(b"\x00\xffgarbage")


def journal_repaired(case: Case) -> None:
    """What the remedy says."""
    case.lab.master(["salt-run", "rollout.repair"])


def run_killed(case: Case) -> None:
    """The process of the update is killed."""
    case.process.send_signal(signal.SIGKILL)


def told(command: str) -> Callable[[Case], None]:
    """The operator pauses or aborts the run."""
    return lambda case: case.lab.master(["salt-run", f"rollout.{command}"], timeout=120)


def master_restarted(case: Case) -> None:
    """The salt-master is killed, and starts again some seconds later."""
    case.lab.kill("master")
    time.sleep(5)
    case.lab.start("master")


def hook(**keys: object) -> dict:
    """The page's hooks: one on a compute before it is updated."""
    one = {"name": "ask", "nodes": "cmp1"} | keys
    return {"hooks": {"services": {"before_apply": [one]}}}
