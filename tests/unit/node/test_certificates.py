"""certificates: those that end soon are found where deployers put them; Salt's own x509 reads real ones."""

from __future__ import annotations

import subprocess
import time

import pytest
from salt.modules import x509_v2

from openstack_rollout.node import certificates

DAY = 86_400


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(certificates, "PLACES", (f"{tmp_path}/**/*.pem", f"{tmp_path}/**/*.crt"))
    monkeypatch.setattr(x509_v2, "__opts__", {"fips_mode": False}, raising=False)
    return tmp_path


def make(path, days, name="haproxy"):
    key = path.with_suffix(".key")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", str(days), "-subj", f"/CN={name}", "-keyout", key, "-out", path),
        ],
        check=True,
        capture_output=True,
    )
    return path


def ending(days, **more):
    return certificates.ending({"x509.read_certificate": x509_v2.read_certificate}, days, **more)


def test_a_certificate_that_ends_within_the_days_is_told(place):
    make(place / "soon.pem", 10)
    make(place / "later.pem", 100, "later")
    (found,) = ending(30)
    assert found["path"] == str(place / "soon.pem") and found["subject"] == "CN=haproxy"
    assert abs(found["ends"] - time.time() - 10 * DAY) < 300
    assert [one["subject"] for one in ending(365)] == ["CN=haproxy", "CN=later"]
    assert ending(0) == []


def test_one_that_has_ended_is_told_whatever_the_days(place):
    make(place / "old.crt", 1)
    (found,) = ending(0, now=time.time() + 2 * DAY)
    assert found["path"] == str(place / "old.crt")


def test_a_key_in_the_same_file_is_not_read_on(place):
    one = make(place / "haproxy.pem", 5)
    one.write_text(one.with_suffix(".key").read_text() + one.read_text())
    given = []

    def read(text):
        given.append(text)
        return x509_v2.read_certificate(text)

    (found,) = certificates.ending({"x509.read_certificate": read}, 30)
    assert found["subject"] == "CN=haproxy" and "PRIVATE" not in given[0]


def test_what_is_linked_twice_is_told_once_and_collections_of_cas_never(place):
    one = make(place / "a.pem", 5)
    (place / "b.pem").symlink_to(one)
    (place / "ca.pem").write_text(one.read_text() * 20)
    make(place / "localhost.crt", 5)
    (place / "nonsense.pem").write_text("-----BEGIN CERTIFICATE-----\nxxx\n-----END CERTIFICATE-----")
    (place / "dangling.pem").symlink_to(place / "absent")
    assert [one["path"] for one in ending(30)] == [str(place / "a.pem")]


def test_further_places_are_looked_at(place, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    make(other / "mine.cer", 5)
    assert ending(30) == [] and len(ending(30, places=[f"{other}/*.cer"])) == 1
