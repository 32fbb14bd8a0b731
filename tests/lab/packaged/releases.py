"""Further releases of the packaged cloud: some packages of another one once more, with something changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from tests.lab.cloud import Lab

from . import repository


def publish(
    lab: Lab,
    version: str,
    like: str,
    names: Iterable[str],
    edit: Callable[[Path], None] = lambda tree: None,
    **more: str,
) -> dict[str, str]:
    """Offer packages of a release in a further version, and write the release that has them.

    Args:
        lab: A lab that is up.
        version: The release's.
        like: The release that it is like else.
        names: The packages; those of others that need one of them in just one version have to be among them.
        edit: Changes the files of each, in the directory that it is unpacked in.
        more: Fields of their control files.

    Returns:
        Their new versions, by name.
    """
    place = lab.home / "repositories/debian"
    pinned = lab.releases[like]["packages"]
    newer = {name: f"{pinned[name]}.{version}" for name in names}
    for name in newer:
        number = pinned[name].replace(":", "_")
        deb = next(place.glob(f"{name}_{number}_*.deb"))
        repository.rebuild(deb, place, newer, lab.home / "rebuilt", edit, **more)
    repository.index(place)
    lab.pillar.write_release(version, {}, pinned | newer)
    return newer
