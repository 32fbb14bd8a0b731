"""release.diff of two releases whose images a real registry has."""

from __future__ import annotations

import gzip
import io
import json
import tarfile

import pytest

from tests.functional.registry_server import Registry
from tests.functional.test_release_mirror import PAGE
from tests.functional.test_release_runner import Master

KEYS = ("nova_compute_image", "ovn_controller_image")


def status(version):
    """A layer with dpkg's status, as a tar archive."""
    text = f"Package: libc6\nStatus: install ok installed\nSource: glibc\nVersion: 2.36-9+deb12u{version}\n"
    found, member = io.BytesIO(), tarfile.TarInfo("var/lib/dpkg/status")
    member.size = len(text)
    with tarfile.open(fileobj=found, mode="w") as archive:
        archive.addfile(member, io.BytesIO(text.encode()))
    return found.getvalue()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A registry with two versions of two images, of which one is the same in both."""
    one = Registry(tmp_path_factory.mktemp("registry")).start()
    one.images = {}
    for version in ("1", "2"):
        created = f"2026-0{version}-03T04:05:06Z"
        digest = one.push("ns/nova", version, f"nova {version}", [status(version)], created=created)
        one.images[version] = {KEYS[0]: f"{one.address}/ns/nova@{digest}"}
    same = f"{one.address}/ns/ovn@{one.push('ns/ovn', '1', 'ovn')}"
    for images in one.images.values():
        images[KEYS[1]] = same
    yield one
    one.stop()


@pytest.fixture
def master(tmp_path, served, unread_bus):
    found = Master(tmp_path, served, unread_bus)
    found.page(**PAGE)
    found.release("1.0.0", served.images["1"], packages={"curl": "8", "bash": "5"})
    found.release("1.0.1", served.images["2"], packages={"curl": "9", "bash": "5"})
    return found


def test_it_names_what_differs_with_labels_dates_and_effects(master, served, tmp_path):
    status, answer = master.run("release.diff", "1.0.0", "1.0.1", "format=json")
    assert status == 0, answer
    assert answer["images"] == {
        KEYS[0]: {
            **{"from": served.images["1"][KEYS[0]], "to": served.images["2"][KEYS[0]], "custom": False},
            "built": ["2026-01-03T04:05:06Z", "2026-02-03T04:05:06Z"],
            "labels": {"version": ["nova 1", "nova 2"]},
            "packages": {},
        }
    }
    assert answer["same"] == 1 and answer["packages"] == {"curl": {"from": "8", "to": "9"}}
    found = {one["stage"]: (one["restarts"], one["packages"]) for one in answer["roles"]["compute"]}
    assert found == {"services": (["nova"], {}), "system": ([], {"curl": "9"})}
    page = tmp_path / "diff.html"
    status, answer = master.run("release.diff", "1.0.0", "1.0.1", "format=html", f"output={page}")
    assert status == 0 and answer["written"] == str(page) and "nova_compute_image" in page.read_text()
    text = tmp_path / "diff.txt"
    master.run("release.diff", "1.0.0", "1.0.1", f"output={text}")
    assert "2026-02-03" in text.read_text()


def test_packages_in_images_and_the_advisories_that_they_mend_are_told(master, tmp_path):
    mended = {"bookworm": {"status": "resolved", "fixed_version": "2.36-9+deb12u2", "urgency": "high"}}
    data = {"glibc": {"CVE-2026-1": {"releases": mended}}, "curl": {"CVE-2026-2": {"releases": {}}}}
    tracker = tmp_path / "tracker.json.gz"
    tracker.write_bytes(gzip.compress(json.dumps(data).encode()))
    arguments = ("format=json", "packages=True", f"advisories={tracker}")
    status_, answer = master.run("release.diff", "1.0.0", "1.0.1", *arguments)
    assert status_ == 0, answer
    assert answer["images"][KEYS[0]]["packages"] == {"libc6": ["2.36-9+deb12u1", "2.36-9+deb12u2"]}
    assert answer["advisories"] == {
        "CVE-2026-1": {
            **{"severity": "high", "cves": ["CVE-2026-1"]},
            "packages": {"libc6": "2.36-9+deb12u2"},
        }
    }


def test_a_registry_that_does_not_answer_is_named_and_the_rest_is_told(master, served):
    served.stop()
    try:
        status, answer = master.run("release.diff", "1.0.0", "1.0.1", "format=json")
        assert status == 1 and "REGISTRY_UNREACHABLE" in json.dumps(answer["unknown"]), answer
        assert answer["packages"] and answer["roles"]["compute"]
        status, answer = master.run("release.diff", "1.0.0", "1.0.1", "format=json", "online=False")
        assert status == 0 and answer["images"][KEYS[0]]["built"] == ["", ""], answer
    finally:
        served.start()


def test_what_is_no_release_or_no_version_is_refused(master):
    status, answer = master.run("release.diff", "1.0.0", "9.9.9")
    assert status == 1 and "UNKNOWN_TARGET" in str(answer), answer
    status, answer = master.run("release.diff", "1.0", "1.0.1")
    assert status == 2 and "WRONG_ARGUMENT: first: 1.0 is not a word" in str(answer), answer
