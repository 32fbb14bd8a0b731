"""The conditions that are judged of what nodes tell of their readiness. Each yields what was seen."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from openstack_rollout.declared.readiness import Readiness, Store
from openstack_rollout.errors import one_line, some
from openstack_rollout.records.drain_record import BY_HAND
from openstack_rollout.rollout.conditions import Seen, refusing
from openstack_rollout.rollout.ports import Heard
from openstack_rollout.rollout.situation import Situation
from openstack_rollout.vocabulary import SERVICE_STAGES, in_order

_MIB = 2**20
_BOOT = "/boot"
_FEW_FILES = 1000
#: Bytes on the disk for each byte of a layer that is fetched, where a node has no layer to tell it by.
GROWS = 3.0
_SHORT = 12  # characters of a digest by which nodes tell their layers


def readiness(now: Situation) -> Iterator[Seen]:
    """Nodes that could not tell, and parts of which they could not."""
    for node, (reason, message) in now.readied.failures.items():
        yield Seen("warn", f"{node} did not tell: {one_line(message, reason)}", (node,))
    for node, heard in _heard(now).items():
        for part, why in heard.told.unknown.items():
            yield Seen("warn", f"{node} cannot tell of its {part}: {one_line(why)}", (node,))


def room(now: Situation) -> Iterator[Seen]:
    """Room on each file system for the images and packages of the run."""
    for node, told in _touched(now):
        needed, what = _needed(now, node, told)
        for system, need in needed.items():
            free, wants = _free(told, system), " and ".join(what[system])
            line = f"{node}: {system} has {_mib(free)} free, {wants} need {_mib(need)}"
            if need > free:
                yield refusing("DISK_FULL", line, node)
            elif free - need < now.model.preflight.room_left * _MIB:
                yield Seen("warn", line, (node,))
            files = _files(told, system)
            if files is not None and files < _FEW_FILES:
                yield Seen("warn", f"{node}: {system} has room for {files} more files", (node,))
    unknown = sorted({image for node in now.touched for image in now.lacking(node)} - now.layers.keys())
    if unknown and now.readied.nodes:
        yield Seen("warn", f"the registry tells no size of {some(unknown)}")


def boot_room(now: Situation) -> Iterator[Seen]:
    """Room in /boot for a kernel that comes, and for its initial RAM disk."""
    if "system" not in now.stages:
        return
    for node, told in _touched(now):
        here = told.rooms.get(_BOOT)
        if here is None or not told.boot or not told.packages.kernel:
            continue
        line = f"{node}: {here.system} has {_mib(here.free)} free, a kernel needs {_mib(told.boot)}"
        if here.free < told.boot:
            yield refusing("BOOT_NOT_READY", line, node)
        elif here.free < 2 * told.boot:  # an initial RAM disk is made beside the one that it replaces
            yield Seen("warn", line, (node,))


def clocks(now: Situation) -> Iterator[Seen]:
    """Clocks of nodes that differ from each other, and those that nothing keeps right."""
    limits = now.model.preflight
    heard = _heard(now)
    # How far a node is ahead of the master, at least and at most: a message takes its time both ways.
    least = {node: one.told.ended - one.heard for node, one in heard.items()}
    most = {node: one.told.begun - one.asked for node, one in heard.items()}
    if heard:
        first, last = max(least, key=least.__getitem__), min(most, key=most.__getitem__)
        apart = least[first] - most[last]
        line = f"{first} is at least {apart:.1f} s ahead of {last}"
        if apart > limits.clock_offset:
            yield Seen("refuse", line)  # one of them is wrong, and nobody can tell which
        elif apart > limits.clock_warning:
            yield Seen("warn", line, (first, last))
        from_master = {node: max(least[node], -most[node]) for node in heard}
        off = in_order(node for node, seconds in from_master.items() if seconds > limits.clock_warning)
        if off:
            farthest = max(from_master.values())
            yield Seen("warn", f"{some(off)}: up to {farthest:.1f} s off the master's clock", tuple(off))
    for node, one in heard.items():
        clock = one.told.clock
        if clock.offset is not None and clock.offset > limits.clock_warning:
            line = f"{node}: {clock.by} says that it is {clock.offset:.1f} s off"
            yield Seen("refuse" if clock.offset > limits.clock_offset else "warn", line, (node,))
    if loose := in_order(node for node, one in heard.items() if not one.told.clock.synchronized):
        yield Seen("warn", f"nothing is known to keep the clock right of {some(loose)}", tuple(loose))


def certificates(now: Situation) -> Iterator[Seen]:
    """Certificates of services that have ended, or end soon."""
    at = now.ports.clock()
    for node, heard in _heard(now).items():
        for one in heard.told.certificates:
            day = time.strftime("%Y-%m-%d", time.gmtime(one.ends))
            if one.ends <= at:
                yield Seen("refuse", f"{node}: {one.path} ({one.subject}) ended on {day}", (node,))
            else:
                days = int((one.ends - at) // 86_400)
                line = f"{node}: {one.path} ({one.subject}) ends on {day}, in {days} days"
                yield Seen("warn", line, (node,))


def container_storage(now: Situation) -> Iterator[Seen]:
    """Where engines keep images and containers: whether a container could be made there."""
    for node, told in _touched(now):
        moves = now.measured.nodes[node].open(stage for stage in now.stages if stage in SERVICE_STAGES)
        for store in told.stores:
            for line in store.broken:
                yield Seen("refuse" if moves else "warn", f"{node}: {store.engine}: {line}", (node,))
            for line in store.doubts:
                yield Seen("warn", f"{node}: {store.engine}: {line}", (node,))


def failed_units(now: Situation) -> Iterator[Seen]:
    """Units that have failed before the run, and APIs that run and do not answer."""

    def lines(told: Readiness) -> Iterator[str]:
        own = [unit for unit, is_own in told.failed.items() if is_own]
        others = [unit for unit, is_own in told.failed.items() if not is_own]
        if own:
            yield f"failed: {some(own)}"
        if others:
            yield f"failed, and of no service that is declared: {some(others)}"
        yield from told.mute

    yield from _each(now, lines)


def installers(now: Situation) -> Iterator[Seen]:
    """Others who change nodes: at work now, or agents that may be at any time."""
    said = {
        "configuration": ("refuse", "{} applies a configuration ({})"),
        "packages": ("warn", "{} moves packages ({}), and is waited for"),
        "agent": ("warn", "{} may apply a configuration at any time ({})"),
    }
    for node, heard in _heard(now).items():
        for one in heard.told.installers:
            verdict, words = said[one.kind]
            line = f"{node}: {words.format(one.name, one.seen)}"
            yield Seen("refuse" if verdict == "refuse" else "warn", line, (node,))


def pending_reboots(now: Situation) -> Iterator[Seen]:
    """Nodes that need a reboot already."""
    for node, one in now.own.nodes.items():
        if one.reboot:
            yield Seen("warn", f"{node} needs a reboot: {'; '.join(one.reboot)}", (node,))
        if one.reboot_without_effect:
            lines = "; ".join(one.reboot_without_effect)
            yield Seen("warn", f"{node}: a reboot had no effect: {lines}", (node,))


def set_by_hand(now: Situation) -> Iterator[Seen]:
    """What operators hold back, have set aside, or have drained."""
    yield from _each(now, lambda told: told.by_hand)
    for node, one in now.own.nodes.items():
        if one.held:
            held = some([f"{name} {version}" for name, version in sorted(one.held.items())])
            yield Seen("warn", f"{node}: held back by the node's operator: {held}", (node,))
    for node, record in now.ports.journal.all_drained().items():
        if record.run == BY_HAND:
            yield Seen("warn", f"{node} is drained by hand", (node,))


def _each(now: Situation, lines: Callable[[Readiness], Iterable[str]]) -> Iterator[Seen]:
    for node, heard in _heard(now).items():
        for line in lines(heard.told):
            yield Seen("warn", f"{node}: {line}", (node,))


def _heard(now: Situation) -> dict[str, Heard]:
    """What nodes told that the run would not leave out."""
    here = now.own.nodes
    return {node: one for node, one in now.readied.nodes.items() if node in here}


def _touched(now: Situation) -> Iterator[tuple[str, Readiness]]:
    """What those nodes tell that the run would change."""
    touched = now.touched
    return ((node, one.told) for node, one in _heard(now).items() if node in touched)


def _needed(now: Situation, node: str, told: Readiness) -> tuple[dict[str, float], dict[str, list[str]]]:
    """The bytes that are needed on each file system of a node, and for what."""
    needed: dict[str, float] = defaultdict(float)
    what: dict[str, list[str]] = defaultdict(list)

    def need(folder: str, size: float, words: str) -> None:
        if size and folder in told.rooms:
            system = told.rooms[folder].system
            needed[system] += size
            if words not in what[system]:
                what[system].append(words)

    store = next((one for one in told.stores if one.root), None)
    if store is not None:
        images = [_to_fetch(now.layers.get(image, {}), store) for image in now.lacking(node)]
        layers = {digest: size for one in images for digest, size in one.items()}
        need(store.root, sum(layers.values()) * (store.grows or GROWS), "images")
        # An image is fetched beside the store before it is unpacked there.
        need(store.copies, max((sum(one.values()) for one in images), default=0), "images")
    cache = next((folder for folder in told.rooms if folder.startswith("/var/cache")), "")
    need(cache, told.packages.fetch, "packages")
    need("/usr", told.packages.grow, "packages")
    return needed, what


def _to_fetch(layers: Mapping[str, int], store: Store) -> dict[str, int]:
    """Of an image's layers those that a node does not have."""
    here = set(store.layers)
    return {digest: size for digest, size in layers.items() if digest.rpartition(":")[2][:_SHORT] not in here}


def _free(told: Readiness, system: str) -> int:
    return min(one.free for one in told.rooms.values() if one.system == system)


def _files(told: Readiness, system: str) -> int | None:
    here = (one.files for one in told.rooms.values() if one.system == system)
    return min((files for files in here if files is not None), default=None)


def _mib(size: float) -> str:
    return f"{size / _MIB:.0f} MiB"
