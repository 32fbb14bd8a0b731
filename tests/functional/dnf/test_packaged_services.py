"""Services that are packages, on a machine with dnf: they move together and restart once, in their order."""

from __future__ import annotations

import json

import pytest

from tests.lab.enclosure import wait_for

from .. import packaged
from ..packaged import GUEST, LIBRARY, NAMES, SHARED

DEBIAN = False
INSTALL = ["dnf", "--quiet", "--assumeyes", "install"]
AGAIN = ["dnf", "--quiet", "--assumeyes", "reinstall", LIBRARY]


class Story:
    """A machine with the services, and releases that differ in their packages alone."""

    def __init__(self, node, debian, install):
        self.node, self.debian = node, debian
        self.first = packaged.publish(node, "1", debian)
        packaged.publish_shared(node, "1", debian)
        node.exec([*install, *NAMES, GUEST, SHARED], timeout=300)
        node.exec(["systemctl", "daemon-reload"])
        node.exec(["systemctl", "enable", "--now", *(f"{name}.service" for name in NAMES)])
        self.aim("1.0.3", self.first)
        self.node.converge()  # its configuration names the release

    def aim(self, version, packages, unit="", **more):
        """Have a release of that version, and make it the target. unit: that both services are of, instead of
        one each. more: of the operator's page.
        """
        like = self.node.releases["1.0.0"]
        family = "Debian" if self.debian else "RedHat"
        own = {name: {family: number} for name, number in packages.items()}
        self.node.lab.pillar.write_release(version, like["images"], like["packages"] | own)
        self.node.edit(target_version=version, services=packaged.services(unit), **more)

    def versions(self, *names):
        """The installed versions of packages, by default the three, asked of the package manager."""
        tool = ["rpm", "-q", "--queryformat=%{VERSION}-%{RELEASE}\\n"]
        if self.debian:
            # what starts it in the machine would take a single $ for a variable of its own
            tool = ["dpkg-query", "--show", "--showformat=$${Version}\\n"]
        return set(self.node.out([*tool, *(names or (*NAMES, LIBRARY))]).split())

    def counts(self):
        return {name: len(packaged.starts(self.node, name)) for name in NAMES}


@pytest.fixture(scope="module")
def story(node):
    return Story(node, DEBIAN, INSTALL)


def test_they_are_at_the_release_that_has_what_is_installed(node, story):
    status = node.status()
    assert status["deployed"] == "1.0.3" and status["stages"]["services"] == "done", status
    assert node.predict("openstack.services") == set()


def test_the_node_tells_a_survey_of_them(node, story):
    units = [f"{name}.service" for name in NAMES]
    told = node.call("deployed.report", f"units={json.dumps(units)}", 'packages=["svc-*"]')
    assert told["trouble"] == [] and set(told["packages"]) == {*NAMES, LIBRARY, GUEST, SHARED}
    assert told["packages"]["svc-api"]["versions"] == [story.first["svc-api"]]
    assert all(told["units"][unit]["active"] == "active" for unit in units)
    # One that is enabled and does not run is told as well.
    node.exec(["systemctl", "stop", "svc-api.service"])
    stopped = node.call("deployed.report", f"units={json.dumps(units)}")["units"]["svc-api.service"]
    assert (stopped["active"], stopped["enabled"]) == ("inactive", "enabled")
    node.exec(["systemctl", "start", "svc-api.service"])


def test_they_move_together_and_each_restarts_once_in_its_order(node, story):
    second = packaged.publish(node, "2", story.debian)
    before = story.counts()
    story.aim("1.0.4", second)
    found = {one["subject"]: one["kind"] for one in node.status()["differences"]["services"]}
    assert found == dict.fromkeys(NAMES, "service_packages")
    node.converge("openstack.prefetch")
    states = {f"services service {name}" for name in NAMES}
    predicted = node.apply("openstack.services", test=True)
    moves = predicted["services service svc-api"]["changes"]
    assert set(moves) == {*NAMES, LIBRARY, "units"}  # what comes along is told
    assert all(predicted[name]["result"] is None for name in states)
    assert states <= node.converge("openstack.services")
    assert story.versions() == {second[LIBRARY]}
    assert story.counts() == {name: count + 1 for name, count in before.items()}
    last = {name: packaged.starts(node, name)[-1] for name in NAMES}
    assert {version.split(".")[0] for _, version in last.values()} == {"2-1"}
    assert last["svc-api"][0] < last["svc-worker"][0]
    assert all(packaged.runs(node, name) for name in NAMES)
    assert node.status()["deployed"] == "1.0.4"


def test_a_second_run_changes_nothing(node, story):
    before = story.counts()
    assert node.converge("openstack.services") == set() and story.counts() == before


def test_nothing_is_kept_of_what_is_proven(node, story):
    assert node.out(["find", packaged.KEPT, "-type", "f"]) == ""


def test_one_that_does_not_start_goes_back_though_the_repository_has_only_the_new_version(node, story):
    was = story.versions()
    third = packaged.publish(node, "3", story.debian, broken="svc-api")
    story.aim("1.0.5", third)
    states = {f"prefetch the way back of service {name}" for name in NAMES}
    assert states <= node.converge("openstack.prefetch")
    for number in ("1", "2"):
        packaged.lose(node, number, story.debian)
    said = node.failure("openstack.services")
    assert said.startswith("SERVICE_FAILED: ") and "svc-api" in said and "back at" in said
    assert story.versions() == was and all(packaged.runs(node, name) for name in NAMES)
    assert packaged.starts(node, "svc-api")[-1][1] == "2-1"


@pytest.mark.parametrize(
    ("number", "how", "why"),
    [("3.1", "deaf", "nobody listens on port 18774"), ("3.2", "mute", "no HTTP answer at 127.0.0.1:18774/")],
)
def test_one_that_no_longer_listens_or_answers_goes_back_as_well(node, story, number, how, why):
    was = story.versions()
    story.aim("1.0.5", packaged.publish(node, number, story.debian, **{how: "svc-api"}))
    node.converge("openstack.prefetch")
    said = node.failure("openstack.services")
    assert said.startswith("SERVICE_FAILED: ") and why in said and "back at" in said
    assert story.versions() == was and all(packaged.runs(node, name) for name in NAMES)


def test_what_would_remove_a_package_is_refused_before_anything_moves(node, story):
    was, before = story.versions(), story.counts()
    fourth = packaged.publish(node, "4", story.debian, conflicts=GUEST)
    story.aim("1.0.6", fourth)
    assert node.failure("openstack.services").startswith("PACKAGE_REMOVAL: ")
    assert story.versions() == was and story.counts() == before
    assert all(packaged.runs(node, name) for name in NAMES)


def test_a_library_that_somebody_else_moved_makes_them_stale_until_their_turn(node, story):
    fifth = packaged.publish(node, "5", story.debian)
    story.aim("1.0.7", fifth)
    node.converge("openstack.services")
    before = story.counts()
    node.exec(AGAIN, timeout=300)
    found = {one["subject"]: one["kind"] for one in node.status()["differences"]["services"]}
    assert found == dict.fromkeys(NAMES, "service_stale")
    node.converge("openstack.services")
    assert story.counts() == {name: count + 1 for name, count in before.items()}
    assert node.status()["stages"]["services"] == "done"


def test_what_they_share_moves_in_their_stage_and_not_with_the_system(node, story):
    fifth = dict.fromkeys((*NAMES, LIBRARY), *story.versions())
    story.aim("1.0.8", fifth, system={"packages": "all", "reboot": "never"})
    was, before = story.versions(SHARED), story.counts()
    shared = packaged.publish_shared(node, "2", story.debian)
    node.call("system_packages.refresh")
    node.converge("openstack.system")
    assert story.versions(SHARED) == was and story.counts() == before
    found = {one["subject"]: one["kind"] for one in node.status()["differences"]["services"]}
    assert found == dict.fromkeys(NAMES, "service_libraries")
    assert "services service svc-api" in node.converge("openstack.services")
    assert story.versions(SHARED) == {shared}
    assert story.counts() == {name: count + 1 for name, count in before.items()}
    status = node.status()
    assert status["stages"]["services"] == status["stages"]["system"] == "done", status


def test_one_that_was_stopped_is_started_and_one_that_was_switched_off_stays_so(node, story):
    node.exec(["systemctl", "stop", "svc-api.service"])
    node.exec(["systemctl", "disable", "--now", "svc-worker.service"])
    found = [(one["kind"], one["subject"]) for one in node.status()["differences"]["services"]]
    assert found == [("service_stopped", "svc-api")]
    node.converge("openstack.services")
    assert wait_for(lambda: packaged.runs(node, "svc-api"), 10) and not packaged.runs(node, "svc-worker")
    node.exec(["systemctl", "enable", "--now", "svc-worker.service"])


def test_the_newest_and_a_floor_are_what_the_repository_offers(node, story):
    sixth = packaged.publish(node, "6", story.debian)
    before = story.counts()
    story.aim("1.0.8", {"svc-api": "newest", "svc-worker": f">={sixth['svc-worker']}"})
    node.call("system_packages.refresh")
    found = {one["subject"]: one["want"] for one in node.status()["differences"]["services"]}
    assert found["svc-api"] == {"svc-api": sixth["svc-api"]}
    predicted = node.apply("openstack.services", test=True)["services service svc-api"]["changes"]
    assert set(predicted) == {*NAMES, LIBRARY, "units"}
    assert predicted["svc-api"]["new"] == sixth["svc-api"]
    node.converge("openstack.services")
    assert story.versions() == {sixth[LIBRARY]}
    assert story.counts() == {name: count + 1 for name, count in before.items()}
    assert node.status()["deployed"] == "1.0.8"
    assert node.converge("openstack.services") == set()


def test_a_floor_that_no_repository_has_is_refused_before_anything_moves(node, story):
    was, before = story.versions(), story.counts()
    story.aim("1.0.9", {"svc-api": ">=99-1", "svc-worker": "newest"})
    said = node.failure("openstack.services")
    assert said.startswith("PACKAGE_FAILED: ") and "the repositories have no svc-api >=99-1" in said
    assert story.versions() == was and story.counts() == before


LOCKS = "/etc/dnf/plugins/versionlock.list"


@pytest.fixture
def held(node, story):
    """One of the services, that the operator keeps where it is."""
    if story.debian:
        node.exec(["apt-mark", "hold", "svc-api"])
        yield "hold"
        node.exec(["apt-mark", "unhold", "svc-api"])
    else:
        node.exec(["tee", LOCKS], stdin="svc-api-0:6-1.el9.*\n")
        yield "versionlock"
        node.exec(["truncate", "--size=0", LOCKS])


def test_what_the_operator_holds_is_at_its_newest_and_told(node, story, held):
    packaged.publish(node, "7", story.debian)
    story.aim("1.0.10", dict.fromkeys(NAMES, "newest"))
    node.call("system_packages.refresh")
    status = node.status()
    assert "svc-api" not in [one["subject"] for one in status["differences"].get("services", ())]
    assert status["stays"]["svc-api"]["cause"] == held


def test_what_has_no_way_back_is_told_beforehand_and_when_it_was_needed(node, story):
    packaged.lose(node, "6", story.debian)
    node.exec(["rm", "--recursive", "--force", packaged.KEPT])
    eighth = packaged.publish(node, "8", story.debian, broken="svc-api")
    story.aim("1.0.11", eighth)
    warned = node.apply("openstack.prefetch")["prefetch the way back of service svc-api"]
    assert warned["result"] is True and "no way back" in " ".join(warned["warnings"]), warned
    assert LIBRARY in " ".join(warned["warnings"])
    said = node.failure("openstack.services")
    assert said.startswith("SERVICE_FAILED: ") and "There was no way back for svc-api" in said
    assert story.versions() == {eighth[LIBRARY]}


def test_what_is_of_one_unit_moves_together_and_restarts_it_once(node, story):
    before = story.counts()
    ninth = packaged.publish(node, "9", story.debian)
    story.aim("1.0.12", ninth, unit="svc-api")
    answer = node.apply("openstack.services")
    assert answer["services service svc-api"]["comment"].startswith("svc-api, svc-worker was moved: ")
    assert answer["services service svc-worker"]["changes"] == {}
    assert story.versions() == {ninth[LIBRARY]} and packaged.runs(node, "svc-api")
    assert story.counts() == {**before, "svc-api": before["svc-api"] + 1}
    assert node.status()["stages"]["services"] == "done"
