"""Changes of a valid pillar, for tests of what is refused and of what is not."""

from openstack_rollout.declared import reading
from tests.unit.cloud_pillar import NEW, digest, valid

GOOD = f"registry.example/x@{digest(NEW)}"
MISSING = object()


def changed(path, value):
    """A valid pillar with one change; path: keys with / between them, or a list of keys."""
    openstack = valid()
    *parents, last = path.split("/") if isinstance(path, str) else path
    place = openstack
    for key in parents:
        place = place.setdefault(key, {})
    if value is MISSING:
        del place[last]
    else:
        place[last] = value
    return openstack


def lines(openstack, **options):
    """What is wrong with a pillar."""
    return [line for _, line in reading.reasons(openstack, **options)[0]]


def wrong(path, value):
    """What is wrong with a valid pillar after one change."""
    return lines(changed(path, value))


def is_clear(line):
    """Whether a line is one that a terminal shows as it is."""
    return line.isascii() and line.isprintable() and len(line) < 2000
