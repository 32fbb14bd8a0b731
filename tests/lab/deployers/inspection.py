"""What machines say of containers that are taken over, by rules of the tests' own: nothing of the product."""

import json
from collections.abc import Callable

from tests.lab.enclosure import wait_for

#: runs a command on a machine, and returns what it prints
Output = Callable[[list[str]], str]


def told(out: Output, container: str) -> dict:
    """What podman tells of a container but its image, ids and times, and what the image says itself."""
    found = json.loads(out(["podman", "container", "inspect", container]))[0]
    image = json.loads(out(["podman", "image", "inspect", found["Image"]]))[0]["Config"]
    # its name inside, where it has a network of its own, is the beginning of its id
    found = json.loads(json.dumps(found).replace(found["Id"], "ID").replace(found["Id"][:12], "ID"))
    found["NetworkSettings"].pop("SandboxKey", None)
    for key in ("Created", "State", "Image", "ImageName", "ImageDigest", "lockNumber", "CreateCommand"):
        found.pop(key, None)
        found["Config"].pop(key, None)
    layers = found["GraphDriver"]["Data"]
    found["GraphDriver"] = {"Name": found["GraphDriver"]["Name"], "keys": sorted(layers)}
    found["Config"]["Env"] = sorted(set(found["Config"]["Env"]) - set(image["Env"]))
    labels = image.get("Labels") or {}
    found["Config"]["Labels"] = {
        key: value for key, value in found["Config"]["Labels"].items() if labels.get(key) != value
    }
    found["Mounts"] = sorted(found["Mounts"], key=lambda mount: mount["Destination"])
    found["HostConfig"]["Binds"] = sorted(found["HostConfig"]["Binds"] or ())
    return found


def units(out: Output) -> dict[str, str]:
    """Every unit file and quadlet of the machine, without the lines that name an image."""
    places = ["/etc/systemd/system", "/etc/containers/systemd"]
    listing = out(["find", *places, "-type", "f"]).splitlines()
    return {
        path: "\n".join(line for line in out(["cat", path]).splitlines() if not line.startswith("Image="))
        for path in listing
    }


def downtime(out: Output, container: str, since: float) -> float:
    """Seconds between the last end of a container and the start after it, by podman's events.

    since: seconds since the epoch, from before it was stopped.
    """

    def away() -> tuple[int, int] | None:
        own = _events(out, container, since)
        died = max((at for status, at in own if status == "died"), default=0)
        started = [at for status, at in own if status == "start" and at > died]
        return (died, min(started)) if died and started else None

    # A unit may be active before podman has started its container.
    assert wait_for(lambda: away() is not None, 30, 0.5)
    died, started = away() or (0, 0)
    return (started - died) / 1e9


def most_at_once_and_longest_without(out: Output, container: str, since: float) -> tuple[int, float]:
    """How many containers of a service ran at once, and the most seconds that none did, by podman's events.

    since: seconds since the epoch; one ran then.
    """
    running, most, without, died = 1, 1, 0.0, 0
    for status, at in _events(out, container, since):
        if status == "start":
            without = max(without, (at - died) / 1e9 if not running else 0)
            running += 1
        elif status == "died":
            running, died = running - 1, at
        most = max(most, running)
    assert running == 1
    return most, without


def _events(out: Output, container: str, since: float) -> list[tuple[str, int]]:
    """(status, nanoseconds since the epoch) of a container, under the names that a replacement gives it."""
    names = (container, f"{container}-previous", f"{container}-next")
    events = ["podman", "events", "--stream=false", f"--since={int(since)}", "--format=json"]
    told = [json.loads(line) for line in out([*events, "--filter=type=container"]).splitlines()]
    own = [(one["Status"], one["timeNano"]) for one in told if one["Name"] in names]
    return sorted((one for one in own if one[1] > since * 1e9), key=lambda one: one[1])
