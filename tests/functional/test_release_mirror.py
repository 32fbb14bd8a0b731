"""release.mirror and release.bundle with real registries, and the check once the first one is gone."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import image_copies
from tests.functional.registry_server import Registry
from tests.functional.test_registry_signatures import MINE, OTHER, public
from tests.functional.test_release_runner import Master
from tests.unit.cloud_pillar import shipped

KEYS = ("nova_compute_image", "ovn_controller_image")


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    """An empty registry."""
    served = Registry(tmp_path_factory.mktemp("mirror")).start()
    yield served
    served.stop()


@pytest.fixture
def master(tmp_path, tmp_path_factory, mirror, unread_bus):
    """A master with a release of two images, both signed, of services that its computes run."""
    served = Registry(tmp_path_factory.mktemp("first")).start()
    served.images = {}
    for key in KEYS:
        name = f"ns/{key.removesuffix('_image').replace('_', '-')}"
        digest = served.push(name, "1", f"{tmp_path} {key}")
        served.sign(name, digest, MINE)
        served.images[key] = f"{served.address}/{name}@{digest}"
    one = Master(tmp_path, served, unread_bus)
    one.page(**PAGE)
    one.release("1.0.1", served.images)
    served.registries_conf.write_text(served.registries_conf.read_text() + mirror.registries_conf.read_text())
    yield one
    served.stop()


# Of the catalogue's services the two alone.
PAGE = {
    "services": {
        name: {"enabled": False} for name in shipped()["service_types"] if name not in ("nova", "ovn")
    }
}


def test_a_mirror_has_all_and_is_enough_once_the_first_registry_is_gone(master, mirror):
    to = f"{mirror.address}/far"
    images = {one.replace(master.server.address, to) for one in master.server.images.values()}
    signed = {master.server.address: {"signed_by": [public(MINE)]}}
    master.page(**PAGE, registries=signed)
    status, answer = master.run("release.mirror", "1.0.1", f"to={to}", "test=True")
    assert status == 0 and set(answer["copied"]) == images and answer["there"] == [], answer
    assert answer["registries"] == {master.server.address: {"mirrors": [to]}}
    for copied, there in ((images, set()), (set(), images)):
        status, answer = master.run("release.mirror", "1.0.1", f"to={to}")
        assert (status, set(answer["copied"]), set(answer["there"])) == (0, copied, there), answer
    master.server.stop()
    try:
        assert "REGISTRY_UNREACHABLE" in master.run("release.check")[1]
        for key, status in ((MINE, 0), (OTHER, 1)):
            one = {"signed_by": [public(key)], "mirrors": [to]}
            master.page(**PAGE, registries={master.server.address: one})
            found = master.run("release.check")
            assert found[0] == status and (status == 0 or "SIGNATURE_WRONG: " in found[1]), found
    finally:
        master.server.start()


def test_a_bundle_goes_into_a_mirror_without_the_first_registry_and_only_whole(master, mirror, tmp_path):
    folder, to = tmp_path / "bundle", f"{mirror.address}/off"
    images = set(master.server.images.values())
    signed = {"signed_by": [public(MINE)], "mirrors": [to]}
    master.page(**PAGE, registries={master.server.address: signed})
    arguments = ("release.bundle", "1.0.1", f"output={folder}")
    assert master.run(*arguments, "test=True")[1]["fetched"] == sorted(images) and not folder.exists()
    for fetched in (images, set()):
        status, answer = master.run(*arguments)
        assert (status, set(answer["fetched"])) == (0, fetched), answer
    blobs = [one for one in folder.glob("images/*/*") if len(one.name) == 64]
    kept = blobs[0].read_bytes()
    mirroring = ("release.mirror", "1.0.1", f"to={to}", f"bundle={folder}")
    for damage in (blobs[0].unlink, lambda: blobs[0].write_bytes(b"x")):
        damage()
        status, answer = master.run(*mirroring)
        assert status == 1 and answer.count("BUNDLE_INCOMPLETE") == 1 and blobs[0].parent.name in answer, (
            answer
        )
        assert not list(mirror.home.glob("data/**/off")), "nothing was copied"
    assert len(master.run(*arguments)[1]["fetched"]) == 1, "the damaged one is fetched anew"
    assert blobs[0].read_bytes() == kept
    master.server.stop()
    try:
        status, answer = master.run(*mirroring)
        assert status == 0 and len(answer["copied"]) == len(KEYS), answer
        assert master.run("release.check")[0] == 0
    finally:
        master.server.start()


def test_what_cannot_be_copied_is_named_and_the_rest_is_copied(master, mirror):
    gone = f"{master.server.address}/ns/gone@sha256:{'0' * 64}"
    master.release("1.0.1", {**master.server.images, "glance_api_image": gone})
    to = f"{mirror.address}/other"
    status, answer = master.run("release.mirror", "1.0.1", f"to={to}")
    assert status == 1 and answer.count("IMAGE_MISSING") == 1 and "images:glance_api_image" in answer, answer
    status, answer = master.run("release.mirror", "1.0.1", f"to={to}", "needed=True", "test=True")
    assert status == 0 and answer["copied"] == [] and len(answer["there"]) == len(KEYS), answer


def test_tags_and_places_that_are_none_are_refused(master, mirror):
    status, answer = master.run("release.mirror", "1.0.1", "to=https://mirror.example")
    assert (status, "WRONG_ARGUMENT: to: " in str(answer)) == (2, True), answer
    master.release("1.0.1", {"nova_compute_image": f"{master.server.address}/ns/nova-compute:1"})
    status, answer = master.run("release.mirror", "1.0.1", f"to={mirror.address}")
    assert (status, "release.pin" in str(answer)) == (2, True), answer


@pytest.fixture
def silent(tmp_path, monkeypatch):
    """The address of a registry that begins to answer, and then says nothing more."""
    over = threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path != "/v2/":
                over.wait(60)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    conf = tmp_path / "registries.conf"
    conf.write_text(f'[[registry]]\nlocation = "{address}"\ninsecure = true\n')
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(conf))
    yield address
    over.set()
    server.shutdown()
    server.server_close()


def test_a_registry_that_falls_silent_is_not_waited_for_without_end(silent, tmp_path, monkeypatch):
    monkeypatch.setattr(image_copies, "STALL", 2.0)
    begun = time.monotonic()
    with pytest.raises(RolloutError) as refused:
        image_copies.copy(f"docker://{silent}/ns/x@sha256:{'0' * 64}", f"dir:{tmp_path}/x", {})
    assert refused.value.reason == "REGISTRY_UNREACHABLE" and silent in refused.value.message
    assert time.monotonic() - begun < 30


def test_copies_end_with_whoever_waits_for_them(silent, tmp_path):
    begun, reasons = time.monotonic(), []

    def copy(number):
        with pytest.raises(RolloutError) as refused:
            image_copies.copy(f"docker://{silent}/ns/x@sha256:{number:064}", f"dir:{tmp_path}/{number}", {})
        reasons.append(refused.value.reason)

    with pytest.raises(KeyboardInterrupt), image_copies.together() as pool:
        pool.submit(copy, 1)
        time.sleep(1)
        raise KeyboardInterrupt
    assert reasons == ["INTERRUPTED"] and time.monotonic() - begun < 30
