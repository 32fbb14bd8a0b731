"""The sentences that people read of records: nothing decides from them, and no one else makes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from openstack_rollout.errors import some, stale_switch

if TYPE_CHECKING:
    from openstack_rollout.declared.comparison import Compared
    from openstack_rollout.declared.differences import Difference
    from openstack_rollout.declared.next_boot import Doubt


def difference(one: Difference, compared: Compared | None = None) -> str:
    """What differs. compared: the node, whose services tell which release's image a container runs."""
    return _SENTENCES[one.kind](one, compared)


def differences(some: Iterable[Difference], compared: Compared | None = None) -> list[str]:
    """One sentence each."""
    return [difference(one, compared) for one in some]


def serving(found: Mapping[str, Sequence[str]]) -> list[str]:
    """What serves data on a node, by kind: one phrase each."""
    return [f"{kind.replace('_', ' ')} ({some(names)})" for kind, names in found.items()]


def note(one: Mapping[str, str]) -> str:
    """What is on a node beside the catalogue."""
    return {
        "beside": "container {subject}: runs beside the catalogue",
        "orphan": "container {subject}: started by us, and not wanted on this node",
        "foreign": "container {subject}: left alone, how it is run is not known here",
        "not_here": "container {subject}: is not on this node",
        "masked": "container {subject}: left alone, {detail} is masked",
        "defined": "container {subject}: its definition names another image: {detail}",
        "old_sidecars": (
            "container {subject}: {old} of the {all} containers that it started run {image} until it starts"
            " them again: {detail}"
        ),
        "exited": "container {subject}: ended with {detail} when it ran last",
        "not_installed": "service {subject}: none of its packages is on this node",
        "unit_masked": "service {subject}: {detail} is masked, and left alone",
        "wait_stays": "setting {subject}: {detail} ms of somebody else's stay, the pillar wants less",
        "legacy": "container {subject}: the earlier installer's unit {detail} is still there",
    }[one["kind"]].format(**one)


def doubt(one: Doubt) -> str:
    """Why a boot may not start what is wanted."""
    return {
        "unknown": "what it starts cannot be told ({have})",
        "default_entry": "the default entry starts {have}, {want} is the newest kernel",
        "kernel_missing": "the default entry's kernel {have} is not there, or empty",
        "initramfs_missing": "the default entry's initial RAM disk {have} is not there, or empty",
        "no_room": "the file system of /boot has {have} bytes free, another kernel needs {want}",
    }[one.cause].format(have=one.have, want=one.want)


def _image(one: Difference, compared: Compared | None) -> str:
    services = compared.services.values() if compared else ()
    release = next((own["release"] for own in services if own["container"] == one.subject), None)
    called = f"image {release} ({one.have[:12]})" if release else f"image {one.have[:12]}"
    return f"container {one.subject}: runs {called}, wants {one.want}"


def _package(one: Difference, _: Compared | None) -> str:
    return f"package {one.subject}: {', '.join(one.have) or 'not installed'}, wants {one.want}"


_SENTENCES: Mapping[str, Any] = {
    "container_absent": lambda one, _: f"container {one.subject}: does not exist, wants {one.want}",
    "container_image": _image,
    "container_stopped": lambda one, _: f"container {one.subject}: is not running",
    "container_foreign": lambda one, _: (
        f"container {one.subject}: is somebody else's ({one.have or 'of no known unit'}), wants {one.want}"
    ),
    "container_defined": lambda one, _: (
        f"container {one.subject}: starts as {one.have} the next time, wants {one.want}"
    ),
    "change_unfinished": lambda one, _: f"container {one.subject}: its change was begun and not finished",
    "package": _package,
    "package_left": lambda one, _: f"package {one.subject}: of a stream that the release left",
    "package_double": lambda one, _: (
        f"package {one.subject}: is installed more than once: {', '.join(one.have)}"
        if one.have
        else f"package {one.subject}: is still there beside the wanted version"
    ),
    "package_half": lambda one, _: (
        f"package {one.subject}: its transaction died in the middle: {', '.join(one.have)}"
    ),
    "packages_unknown": lambda one, _: f"whether packages are whole cannot be told: {one.have}",
    "system_image": lambda one, _: f"system image: {one.have}, wants {one.want}",
    "switch_disabled": lambda one, _: f"unit {one.subject}: is not enabled",
    "switch_stale": lambda one, _: f"switch: {stale_switch(one.have, one.want)}",
    "service_packages": lambda one, _: (
        f"service {one.subject}: "
        + "; ".join(
            f"package {name} {', '.join(one.have[name]) or 'not installed'}, wants {version}"
            for name, version in one.want.items()
        )
    ),
    "service_libraries": lambda one, _: f"service {one.subject}: newer libraries: {some(one.want)}",
    "service_unknown": lambda one, _: (
        f"service {one.subject}: whether its packages are the newest cannot be told: {one.have}"
    ),
    "service_stale": lambda one, _: f"service {one.subject}: runs what was there before {some(one.want)}",
    "service_stopped": lambda one, _: f"service {one.subject}: {', '.join(one.have)} does not run",
    "newer": lambda one, _: f"newer packages: {some(one.want)}",
    "newer_unknown": lambda one, _: f"newer packages: {one.have}",
    "live_patches": lambda one, _: f"live patches: {', '.join(one.want)}",
    "minion": lambda one, _: f"salt-minion: its renewal is {one.have}",
    "migration": lambda one, _: f"migration {one.subject}: is due",
    "reboot": lambda one, _: f"reboot is needed: {one.have}",
    "not_running": lambda one, _: f"container {one.subject}: not running",
    "unhealthy": lambda one, _: f"container {one.subject}: unhealthy",
    "switch_inactive": lambda one, _: f"unit {one.subject}: not active",
    "ovn_wait": lambda one, _: f"setting {one.subject}: {one.have or 'none'}, wants {one.want or 'none'}",
    "datapath": lambda one, _: str(one.have),
}
