"""Bundles of the lab's Pacemaker, as TripleO makes its own: podman, the host's network, a tag as image."""

from __future__ import annotations

import json

from tests.lab.cloud import Lab
from tests.lab.enclosure import LabError, wait_for

from . import pacemaker

_OPTIONS = "--user=root --log-driver=k8s-file -e KOLLA_CONFIG_STRATEGY=COPY_ALWAYS"


def tag(bundle: str) -> str:
    """The name that a bundle gives its image, on every node."""
    return f"cluster.common.tag/{bundle}:pcmklatest"


def create(lab: Lab, bundle: str, image: str, replicas: int, port: int, timeout: float = 90) -> None:
    """Make a bundle of one of the lab's small services, and wait until its replicas run.

    Args:
        lab: Of the profile `controllers`.
        bundle: Its id.
        image: By digest; each controller pulls it and tags it.
        replicas: How many, at most one on each controller.
        port: On which the service listens there.
        timeout: Seconds.

    Raises:
        LabError: They did not start in time; with what Pacemaker says.
    """
    nodes = pacemaker.controllers(lab)
    for node in nodes:
        lab.exec(node, ["podman", "pull", "--quiet", image])
        lab.exec(node, ["podman", "tag", image, tag(bundle)])
    definition = [
        *("container", "podman", f"image={tag(bundle)}", f"replicas={replicas}", "network=host"),
        *(f"options={_OPTIONS} -e PORT={port}", "run-command=/bin/sh /usr/local/bin/serve"),
        *(
            "storage-map",
            f"id={bundle}-hosts",
            "source-dir=/etc/hosts",
            "target-dir=/etc/hosts",
            "options=ro",
        ),
    ]
    lab.exec(nodes[0], ["pcs", "property", "set", "stonith-enabled=false", "--force"])
    lab.exec(nodes[0], ["pcs", "resource", "bundle", "create", bundle, *definition])
    if not wait_for(lambda: len(replicas_of(lab, bundle)) == replicas, timeout, 1):
        raise LabError(f"{bundle} does not run:\n{pacemaker.status(lab)}")


def replicas_of(lab: Lab, bundle: str) -> dict[str, tuple[str, str, str, int]]:
    """The containers of a bundle that run, as podman tells: {node: (name, id, image's id, when started)}."""
    found = {}
    for node in pacemaker.controllers(lab):
        for one in json.loads(lab.exec(node, ["podman", "ps", "--format", "json"]).stdout or "[]"):
            if one["Names"][0].startswith(f"{bundle}-podman-"):
                found[node] = (one["Names"][0], one["Id"], one["ImageID"], one["StartedAt"])
    return found


def constraints(lab: Lab) -> str:
    """What keeps resources off nodes, as Pacemaker has it."""
    query = ["cibadmin", "--query", "--scope", "constraints"]
    return lab.exec(pacemaker.controllers(lab)[0], query).stdout.strip()
