"""What the next state of a container needs, asked on a real machine before the present one is taken away: a
registry that answers, room, an image that can be read, a unit that systemd would start.
"""

from __future__ import annotations

import contextlib
import time

import pytest

METADATA = "edpm_neutron_metadata_agent_image"
CONTAINER = "ovn_metadata_agent"
QUADLETS = "/etc/containers/systemd"
STORE = "/var/lib/containers"
PORT = 5999
STALL = 5  # seconds
#: Accepts connections and never answers; or passes on to a registry, some bytes at a time.
SERVER = """
import socket, sys, threading, time
to = sys.argv[1:]
def slowly(have, put):
    while data := have.recv(65536 if put is None else 512):
        if put is not None:
            put.sendall(data)
            time.sleep(0.8)
    put is not None and put.shutdown(socket.SHUT_WR)
def serve(one):
    if not to:
        return slowly(one, None)
    other = socket.create_connection((to[0], int(to[1])))
    threading.Thread(target=slowly, args=(one, other), daemon=True).start()
    slowly(other, one)
with socket.create_server(("127.0.0.1", %d)) as server:
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""


@pytest.fixture
def hotfix(node, page):
    """The hotfix is wanted for the metadata agent, and not on the node; its reference."""
    reference = node.images["hotfix"]
    node.exec(["podman", "rmi", "--ignore", "--force", reference])
    node.edit(custom_images={METADATA: reference}, pulls={"stall_timeout": STALL})
    return reference


@contextlib.contextmanager
def served(node, *to: str):
    """A server on the node's own port, which podman may ask without TLS."""
    address = f"127.0.0.1:{PORT}"
    marked = f'[[registry]]\nlocation = "{address}"\ninsecure = true\n'
    node.exec(["tee", "/etc/containers/registries.conf.d/silent.conf"], stdin=marked)
    command = ["systemd-run", "--unit=silent", "--collect", "python3", "-c", SERVER % PORT, *to]
    node.exec(command)
    until = time.monotonic() + 30
    while f":{PORT}" not in node.out(["ss", "-Hltn"]) and time.monotonic() < until:
        time.sleep(0.2)
    try:
        yield address
    finally:
        node.exec(["systemctl", "stop", "silent.service"])
        node.exec(["rm", "/etc/containers/registries.conf.d/silent.conf"])


def at(address: str, reference: str) -> str:
    """The same image, of a registry at another address."""
    return f"{address}/{reference.partition('/')[2]}"


def refused(node, sls: str, before: dict[str, str]) -> str:
    """The comment under which a stage is refused; nothing was stopped or started."""
    comment = node.failure(sls)
    assert node.started() == before, comment
    assert node.out(["systemctl", "is-active", f"{CONTAINER}.service"]) == "active"
    return comment


def test_a_pull_from_a_registry_that_never_answers_is_ended(node, hotfix):
    before = node.started()
    with served(node) as address:
        node.edit(custom_images={METADATA: at(address, hotfix)}, pulls={"stall_timeout": STALL})
        for sls in ("openstack.prefetch", "openstack.services"):
            comment = refused(node, sls, before)
            assert comment.startswith("REGISTRY_UNREACHABLE: ") and address in comment, comment
        assert node.exec(["pgrep", "-f", "podman [p]ull"], check=False).returncode == 1
        left = ["-name", "openstack-rollout-pull-*", "-o", "-name", "container_images_*"]
        assert node.out(["find", "/var/tmp", *left]) == ""
    node.edit(custom_images={METADATA: hotfix})
    assert node.converge("openstack.services") == {f"services container {CONTAINER}"}
    assert node.digest(CONTAINER) == hotfix.partition("@")[2]


def test_a_pull_that_is_slow_and_gets_on_is_not_ended(node, hotfix):
    host, _, port = hotfix.partition("/")[0].partition(":")
    with served(node, host, port) as address:
        node.edit(custom_images={METADATA: at(address, hotfix)}, pulls={"stall_timeout": STALL})
        began = time.monotonic()
        assert any("prefetch image" in name for name in node.converge("openstack.prefetch"))
        assert time.monotonic() - began > 2 * STALL, "it was not slow"


@pytest.fixture
def small_store(node):
    """podman's images on a file system of their own, which a test may fill."""
    move = (
        "set -e; units=$(systemctl list-units --plain --no-legend --state=active '*.service'"
        f" | cut -d' ' -f1 | grep -xFf <(ls {QUADLETS} | sed -n 's/[.]container$/.service/p'));"
        " systemctl stop $units; mkdir -p /mnt/store; mount -t tmpfs -o size=2g tmpfs /mnt/store;"
        f" cp -a {STORE}/. /mnt/store/; mount --bind /mnt/store {STORE}; systemctl start $units"
    )
    node.exec(["bash", "-c", move])
    try:
        yield
    finally:
        back = f"systemctl stop '*_*.service' node_exporter; umount -R {STORE}/storage/overlay || true;"
        node.exec(["bash", "-c", f"{back} umount {STORE}; umount /mnt/store"])
        node.converge()


def fill(node, left: int) -> None:
    """Fill the store but for some MiB."""
    node.exec(["rm", "-f", f"{STORE}/fill"])
    free = int(node.out(["df", "--output=avail", "--block-size=1M", STORE]).split()[-1])
    node.exec(["fallocate", "-l", f"{free - left}M", f"{STORE}/fill"])


def test_room_is_asked_for_before_a_pull_and_again_before_anything_stops(node, hotfix, small_store):
    before = node.started()
    fill(node, left=20)
    for sls in ("openstack.prefetch", "openstack.services"):
        comment = refused(node, sls, before)
        assert comment.startswith("DISK_FULL: ") and STORE in comment and "bytes" in comment, comment
    node.exec(["rm", f"{STORE}/fill"])
    node.converge("openstack.prefetch")
    fill(node, left=20)
    comment = refused(node, "openstack.services", before)
    assert comment.startswith("DISK_FULL: ") and STORE in comment, comment
    node.exec(["rm", f"{STORE}/fill"])
    assert node.converge("openstack.services") == {f"services container {CONTAINER}"}


def test_room_for_what_is_downloaded_and_for_records_is_asked_for(node, hotfix):
    before = node.started()
    for folder, sls in (
        ("/var/tmp", "openstack.prefetch"),
        ("/var/lib/openstack-rollout", "openstack.services"),
        (QUADLETS, "openstack.services"),
    ):
        node.exec(["mkdir", "-p", folder])
        hidden = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder]
        keep = f"cp -a {folder} /root/kept && {' '.join(hidden)} && cp -a /root/kept/. {folder}/"
        node.exec(["sh", "-c", keep])
        try:
            comment = refused(node, sls, before)
            assert comment.startswith("DISK_FULL: ") and f"{folder} has" in comment, comment
        finally:
            node.exec(["sh", "-c", f"umount {folder}; rm -r /root/kept"])


def test_a_unit_that_is_masked_is_named_and_left_alone(node, hotfix):
    before = node.started()
    node.exec(["systemctl", "mask", f"{CONTAINER}.service"])
    try:
        assert any("UNIT_MASKED" in said for said in predicted_failures(node))
        for sls in ("openstack.prefetch", "openstack.services"):
            comment = refused(node, sls, before)
            assert comment.startswith("UNIT_MASKED: ") and f"{CONTAINER}.service" in comment, comment
    finally:
        node.exec(["systemctl", "unmask", f"{CONTAINER}.service"])
    assert node.converge("openstack.services") == {f"services container {CONTAINER}"}


def predicted_failures(node) -> list[str]:
    answer = node.apply("openstack.services", test=True)
    return [result["comment"] for result in answer.values() if result["result"] is False]


def test_a_drop_in_that_the_generator_refuses_is_shown_in_its_words(node, hotfix):
    before = node.started()
    folder = f"{QUADLETS}/{CONTAINER}.container.d"
    node.exec(["mkdir", "-p", folder])
    node.exec(["tee", f"{folder}/bad.conf"], stdin="[Container]\nNoSuchKey=1\n")
    try:
        for sls in ("openstack.prefetch", "openstack.services"):
            comment = refused(node, sls, before)
            assert comment.startswith("DEFINITION_REFUSED: ") and "NoSuchKey" in comment, comment
    finally:
        node.exec(["rm", "-r", folder])


@pytest.mark.parametrize("folder", ["/etc/systemd/system", "/run/systemd/system"])
def test_a_unit_that_takes_the_place_of_the_quadlets_is_named(node, hotfix, folder):
    before, file = node.started(), f"{folder}/{CONTAINER}.service"
    unit = f"[Service]\nExecStart=/usr/bin/podman start -a {CONTAINER}\n"
    node.exec(["tee", file], stdin=unit)
    node.exec(["systemctl", "daemon-reload"])
    try:
        for sls in ("openstack.prefetch", "openstack.services"):
            comment = refused(node, sls, before)
            assert comment.startswith("CONTAINER_FOREIGN: ") and f"{CONTAINER}.service" in comment, comment
    finally:
        node.exec(["rm", file])
        node.exec(["systemctl", "daemon-reload"])


def layers(node, reference: str) -> list[str]:
    """The folders of an image's layers, the topmost first."""
    told = "{{.GraphDriver.Data.UpperDir}}:{{.GraphDriver.Data.LowerDir}}"
    folders = node.out(["podman", "image", "inspect", "--format", told, reference]).split(":")
    return [one for one in folders if one.startswith("/")]


def a_file(node, folder: str) -> str:
    return node.out(["sh", "-c", f"find {folder} -type f -size +0 | sort | head -n1"])


def test_a_damaged_image_is_pulled_again_once(node, hotfix):
    node.converge("openstack.prefetch")
    damaged = a_file(node, layers(node, hotfix)[0])
    node.exec(["rm", damaged])
    assert node.converge("openstack.services") == {f"services container {CONTAINER}"}
    assert node.digest(CONTAINER) == hotfix.partition("@")[2]
    assert node.out(["stat", "-c", "%F", a_file(node, layers(node, hotfix)[0])]) == "regular file"


def test_an_image_that_stays_damaged_stops_nothing(node, hotfix):
    before = node.started()
    node.converge("openstack.prefetch")
    own, running = layers(node, hotfix), layers(node, node.releases["1.0.0"]["images"][METADATA])
    shared = [one for one in own if one in running]
    if not shared:
        pytest.skip("the two images share no layer")
    damaged = a_file(node, shared[0])
    node.exec(["mv", damaged, "/root/kept"])
    try:
        comment = refused(node, "openstack.services", before)
        assert comment.startswith("IMAGE_DAMAGED: ") and damaged in comment, comment
    finally:
        node.exec(["mv", "/root/kept", damaged])
