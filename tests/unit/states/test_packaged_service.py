"""packaged_service.at_release: packages move while the service runs on, then its units restart once."""

from __future__ import annotations

import pytest

from openstack_rollout.node.errors import NodeError
from tests.unit.loading import Commands, load

PINS = {"api": "2", "common": "2"}
UNITS = {"api.service": "active"}
NOTHING = {"packages": {}, "files": {}, "missing": {}, "begun": False, "listened": [], "spoke": None}
WAS = {"api": "1", "common": "1"}
LIBRARY = {"library": "1"}
THERE = WAS | LIBRARY
FILES = {"api": "/kept/api", "common": "/kept/common"}
RESTART, ASKS = ("restart", ["api.service"]), ("asks", [8774])


class Node:
    """A node with a service: its packages, what its units run, and what was done, in order."""

    def __init__(self, installed="1", units=UNITS, stale=()):
        self.installed = {name: installed for name in PINS} | LIBRARY
        self.units, self.stale, self.here = dict(units), list(stale), True
        self.done, self.broken, self.refused = [], "", None
        self.kept = dict(NOTHING)
        self.spoke, self.mute, self.held = [8774], "", []
        self.missing, self.due, self.listened, self.deaf, self.by_pacemaker = {}, {}, [8774], "", None
        self.pending, self.spares, self.asked = None, True, []

    def state(self, test=False, function="at_release", packages=PINS, **arguments):
        salt = {
            "package_set.changes": self.changes,
            "package_set.along": lambda packages, exclude: {"library": "2"},
            "package_set.bring": self.bring,
            "package_updaters.found": lambda: {"apt-daily.service": "inactive"},
            "packaged_service.found": lambda own, units, libraries: {
                "here": self.here, "units": dict(self.units), "stale": list(self.stale),
            },
            "packaged_service.newer": lambda libraries, depth, kept: {"library": "3", "api": "9"},
            "packaged_service.require_own": self.require_own,
            "packaged_service.restart": self.restart,
            "packaged_service.settled": self.settled,
            "packaged_service.listens": lambda units: list(self.listened),
            "packaged_service.speaks": lambda units, http: list(self.spoke),
            "packaged_service.answers": self.answers,
            "kept_packages.due": self.to_keep,
            "kept_packages.keep": self.keep,
            "kept_packages.begin": self.begin,
            "kept_packages.ended": lambda name: self.kept.update(begun=False),
            "kept_packages.status": self.status,
            "kept_packages.forget": lambda name: self.kept.update(NOTHING),
            "galera.may_stop": self.may_stop,
            "ovsdb_cluster.may_stop": self.may_stop,
            "unit_hold.hold": lambda units: self.held.append(list(units)),
            "unit_hold.release": lambda units: None,
            "cmd.run_all": Commands({"systemctl show --property=ActiveState": "active"}),
        }  # fmt: skip
        for guard in ("galera", "ovsdb_cluster"):
            salt |= {
                f"{guard}.pending": lambda name: self.pending,
                f"{guard}.before_stop": lambda name, hold=None: self.leaves(name, hold),
                f"{guard}.after_start": lambda name, token, timeout: self.done.append(("back",)) or "back",
                f"{guard}.undo": lambda name, token: self.done.append(("undo", token)),
            }
        module = load("states", "packaged_service", salt=salt, opts={"test": test})
        if function == "kept":
            return module.kept("api", packages=packages)
        how = {"own": ["api"], "units": ["api.service"]} | arguments
        return module.at_release("api", packages=packages, **how)

    def require_own(self, units):
        if self.by_pacemaker:
            raise NodeError("DEFINITION_REFUSED", self.by_pacemaker)

    def may_stop(self, name, patience=60):
        if not self.spares:
            raise NodeError("QUORUM_AT_RISK", "one is away")
        self.done.append(("asked", name))

    def to_keep(self, name, due, exclude):
        self.asked.append(due)
        return {"keep": self.due, "missing": self.missing}

    def keep(self, name, due, exclude):
        self.asked.append(due)
        if not self.kept["begun"]:
            files = {one: f"/kept/{one}" for one in due if one not in self.missing}
            self.kept |= {"packages": {one: self.installed[one] for one in due}, "files": files}
        self.kept["missing"] = dict(self.missing)
        self.done.append(("keep", dict(self.kept["packages"])))
        return {"kept": {one: self.installed[one] for one in self.kept["files"]}, "missing": self.missing}

    def begin(self, name, listened, spoke):
        if not self.kept["begun"]:
            self.kept |= {"begun": True, "listened": list(listened), "spoke": spoke}

    def status(self, name):
        packages = self.kept["packages"]
        back = {one: version for one, version in packages.items() if self.installed.get(one) != version}
        return {**self.kept, "back": back}

    def changes(self, packages):
        packages = {name: "2" if one in ("newest", ">=2") else one for name, one in packages.items()}
        return {"install": {name: one for name, one in packages.items() if self.installed[name] != one}}

    def bring(self, packages, exclude=(), files=None):
        if self.refused:
            raise self.refused
        self.done.append(("bring", dict(packages)) + ((files,) if files is not None else ()))
        moved = {name: {"old": self.installed[name], "new": one} for name, one in packages.items()}
        self.installed |= packages
        return moved

    def restart(self, units):
        self.done.append(("restart", list(units)))
        self.stale = []

    def leaves(self, name, hold):
        if hold:
            hold()
        self.done.append(("leaves", name))
        return {"begun": 1}

    def settled(self, units, timeout, since, guard):
        if self.broken and self.installed["api"] in self.broken:
            raise NodeError("SERVICE_FAILED", "api.service: failed")

    def answers(self, units, ports, timeout, since, http, spoke):
        self.done.append(("asks", list(ports), http, spoke) if http else ("asks", list(ports)))
        if http and self.installed["api"] == self.mute:
            raise NodeError("SERVICE_FAILED", f"api.service: no HTTP answer at 127.0.0.1:8774{http}")
        if self.installed["api"] == self.deaf:
            raise NodeError("SERVICE_FAILED", f"api.service: nobody listens on port {ports[0]} any more")


def test_what_is_there_is_kept_then_packages_then_one_restart_and_the_proof():
    node = Node()
    answer = node.state()
    assert answer["result"] is True
    assert node.done == [("keep", WAS), ("bring", PINS), RESTART, ASKS]
    assert answer["changes"]["api"] == {"old": "1", "new": "2"}
    assert node.kept == NOTHING  # it is proven
    assert "apt-daily.service" in answer["comment"]


def test_a_prediction_names_what_comes_along_and_does_nothing():
    node = Node()
    answer = node.state(test=True)
    assert answer["result"] is None and node.done == []
    assert set(answer["changes"]) == {"units", "api", "common", "library"}


def test_libraries_that_no_release_names_come_at_the_newest_and_pins_stay_pins():
    node = Node()
    node.state(libraries=["library"], newest={"depth": "upgrade", "kept": []})
    assert node.done == [("keep", THERE), ("bring", {"library": "3", **PINS}), RESTART, ASKS]
    back = Node()
    back.broken = "2"
    assert back.state(libraries=["library"], newest={"depth": "upgrade", "kept": []})["result"] is False
    assert back.installed == THERE
    assert ("bring", THERE, FILES | {"library": "/kept/library"}) in back.done


def test_what_has_no_way_back_is_told_before_and_after():
    node = Node()
    node.missing = {"api": "no repository has it, nor the cache"}
    told = "there is no way back for api (no repository has it, nor the cache)"
    assert told in node.state(test=True)["comment"] and told in node.state()["comment"]
    kept = Node()
    kept.missing = dict(node.missing)
    answer = kept.state(function="kept")
    assert answer["result"] is True and answer["changes"] == {} and told in answer["warnings"][0]


def test_the_way_back_is_kept_beforehand_and_predicted():
    node = Node()
    node.due = dict(WAS)
    answer = node.state(test=True, function="kept")
    assert answer["result"] is None and set(answer["changes"]) == set(WAS) and node.done == []
    answer = node.state(function="kept")
    assert answer["result"] is True and set(answer["changes"]) == set(WAS) and node.done == [("keep", WAS)]
    node.due = {}
    assert node.state(function="kept")["changes"] == {} and "warnings" not in answer


def test_the_way_back_is_looked_up_by_the_versions_that_would_come():
    wanted = {"api": "newest", "common": ">=2"}
    node = Node()
    node.due = dict(WAS)
    node.state(function="kept", packages=wanted)
    node.state(test=True, packages=wanted)
    node.state(packages=wanted)
    assert node.asked == [PINS, PINS, PINS, PINS]


def test_nothing_where_it_is_at_the_release_or_not_here():
    assert Node("2").state()["changes"] == {}
    node = Node()
    node.here = False
    assert node.state()["changes"] == {} and node.done == []


@pytest.mark.parametrize("node", [Node("2", stale=["library"]), Node("2", units={"api.service": "inactive"})])
def test_one_that_runs_older_files_or_does_not_run_is_started_alone(node):
    assert node.state()["result"] is True and node.done == [RESTART, ASKS] and node.kept == NOTHING


@pytest.mark.parametrize("state", ["masked", "disabled"])
def test_what_the_operator_switched_off_stays_off(state):
    node = Node(units={"api.service": state})
    assert node.state()["result"] is True and node.done == [("bring", PINS)]


def test_a_version_that_does_not_start_goes_back_by_the_files_that_were_kept():
    node = Node()
    node.broken = "2"
    answer = node.state()
    assert answer["result"] is False and answer["reason"] == "SERVICE_FAILED"
    assert "api is back at api 1, common 1." in answer["comment"]
    assert node.installed == THERE and node.done[-3:] == [("bring", WAS, FILES), RESTART, ASKS]
    assert node.kept["files"] == FILES and not node.kept["begun"]  # for the next attempt
    left = Node()
    left.broken = "2"
    assert left.state(on_failure="leave")["result"] is False and left.installed["api"] == "2"


def test_a_version_that_gives_up_a_port_goes_back_unless_that_is_wanted():
    node = Node()
    node.deaf = "2"
    answer = node.state()
    assert answer["reason"] == "SERVICE_FAILED" and "nobody listens on port 8774" in answer["comment"]
    assert node.installed == THERE
    wanted = Node()
    assert wanted.state(listens=False)["result"] is True and wanted.done[-1] == ("asks", [])


def test_a_way_back_that_fails_is_told_with_what_was_not_kept():
    node = Node()
    node.broken, node.missing = "2", {"api": "no repository has it, nor the cache"}
    bring = node.bring

    def once(packages, exclude=(), files=None):
        if files is not None:
            raise NodeError("PACKAGE_FAILED", "no repository has api-1")
        return bring(packages, exclude)

    node.bring = once
    answer = node.state()
    assert answer["reason"] == "SERVICE_FAILED" and "api.service: failed" in answer["comment"]
    assert "does not run as before, at api 1, common 1: no repository has api-1" in answer["comment"]
    assert "There was no way back for api (no repository has it, nor the cache)" in answer["comment"]


def test_one_that_does_not_run_at_its_earlier_version_either_is_told():
    node = Node()
    node.broken = "12"
    comment = node.state()["comment"]
    assert "api does not run as before, at api 1, common 1: api.service: failed" in comment


def test_a_move_whose_run_died_goes_back_to_what_was_before_it():
    node = Node("2", stale=["api"])
    node.kept = NOTHING | {"packages": WAS, "files": FILES, "begun": True, "listened": [8774]}
    node.broken, node.listened = "2", []
    assert node.state()["result"] is False and node.installed == THERE
    assert ("bring", WAS, FILES) in node.done and node.done[-1] == ASKS


def test_a_move_whose_run_died_before_its_proof_is_proven_without_another_restart():
    node = Node("2")
    node.kept = NOTHING | {"packages": WAS, "files": FILES, "begun": True, "listened": [8774]}
    predicted = node.state(test=True)
    assert predicted["result"] is None and node.kept["begun"] and node.done == []
    answer = node.state()
    assert answer["changes"] == predicted["changes"] != {}
    assert answer["result"] is True and node.done == [ASKS] and node.kept == NOTHING
    deaf = Node("2")
    deaf.kept, deaf.deaf = NOTHING | {"begun": True, "listened": [8774]}, "2"
    assert deaf.state()["reason"] == "SERVICE_FAILED" and deaf.kept["begun"]


def test_what_was_kept_for_a_move_that_never_was_is_nothing_to_go_back_to():
    node = Node("2", stale=["api"])
    node.kept, node.broken = NOTHING | {"packages": WAS, "files": FILES}, "2"
    node.state()
    assert node.installed == PINS | LIBRARY


def test_a_member_whose_clients_leave_it_has_left_before_its_packages_move():
    node = Node()
    answer = node.state(guard="galera")
    assert answer["result"] is True and answer["changes"]["units"]["said"] == "back"
    assert [one[0] for one in node.done] == ["keep", "leaves", "bring", "restart", "asks", "back"]


def test_another_guard_is_asked_before_packages_move_and_acts_at_the_restart():
    node = Node()
    assert node.state(guard="ovsdb_cluster")["result"] is True
    assert [one[0] for one in node.done] == ["keep", "asked", "bring", "leaves", "restart", "asks", "back"]
    risky = Node()
    risky.spares = False
    answer = risky.state(guard="ovsdb_cluster")
    assert answer["reason"] == "QUORUM_AT_RISK" and risky.installed == THERE


def test_a_member_that_left_serves_on_when_its_packages_cannot_move():
    node = Node()
    node.refused = NodeError("PACKAGE_REMOVAL", "would go: tuned")
    answer = node.state(guard="galera")
    assert answer["reason"] == "PACKAGE_REMOVAL" and RESTART not in node.done
    # in service again before it is waited for: a drained broker would never be back
    assert node.done.index(("undo", None)) < node.done.index(("back",))
    assert "runs on, nothing of it had moved" in answer["comment"]


def test_what_pacemaker_starts_is_refused_before_anything_moves():
    node = Node()
    node.by_pacemaker = "api.service is run by Pacemaker (resource api-clone, systemd:api)"
    for test in (True, False):
        answer = node.state(test=test)
        assert answer["reason"] == "DEFINITION_REFUSED" and node.done == [] and node.installed == THERE
    assert Node("2").state()["result"] is True


def test_a_transaction_that_is_refused_touches_nothing():
    node = Node()
    node.refused = NodeError("PACKAGE_REMOVAL", "would go: tuned")
    answer = node.state()
    assert answer["reason"] == "PACKAGE_REMOVAL" and node.done == [("keep", WAS)] and node.installed == THERE


def test_a_port_that_was_given_up_since_a_move_began_is_not_asked_for():
    node = Node()
    node.kept |= {"begun": True, "listened": [8774]}
    assert node.state(listens=False)["result"] is True
    assert ("asks", []) in node.done and ASKS not in node.done
    again = Node("2")
    again.kept |= {"begun": True, "listened": [8774]}
    assert again.state(listens=False)["result"] is True
    assert again.done == [("asks", [])]


def test_an_api_that_answered_http_has_to_answer_again_or_goes_back():
    node = Node()
    assert node.state(http="/v3")["result"] is True
    assert node.done[-1] == ("asks", [8774], "/v3", [8774])
    mute = Node()
    mute.mute = "2"
    answer = mute.state(http="/v3")
    assert answer["reason"] == "SERVICE_FAILED" and "no HTTP answer" in answer["comment"]
    assert mute.installed == THERE


@pytest.mark.parametrize(("listened", "more"), [([], {}), ([8774], {"listens": False})])
def test_of_one_whose_ports_nobody_knows_any_of_them_has_to_answer(listened, more):
    node = Node()
    node.listened = listened
    assert node.state(http="/", **more)["result"] is True and node.done[-1] == ("asks", [], "/", None)


def test_who_answered_before_a_run_that_died_has_to_answer_after_it():
    node = Node("2")
    node.kept |= {"begun": True, "listened": [8774, 8775], "spoke": [8775]}
    assert node.state(http="/")["result"] is True
    assert node.done == [("asks", [8774, 8775], "/", [8775])]


def test_all_of_its_units_are_held_while_the_first_is_ended_and_restart_at_once():
    units = {"api.service": "active", "worker.service": "active", "off.service": "disabled"}
    node = Node(units=units)
    assert node.state(guard="ovsdb_cluster", units=list(units))["result"] is True
    assert node.held == [["api.service", "worker.service"]]
    assert ("restart", ["api.service", "worker.service"]) in node.done
    more = Node(units=units | {"off.service": "inactive"})
    more.state(guard="ovsdb_cluster", units=list(units))
    assert more.held == [["api.service", "off.service", "worker.service"]]  # who stands on others comes first


def test_what_shares_a_unit_is_told_with_the_one_that_moves_it():
    node = Node()
    answer = node.state(shares=["placement"])
    assert answer["comment"].startswith("api, placement was moved: ")
    part = Node()
    predicted = part.state(test=True, moved_with="keystone")
    assert predicted["result"] is True and predicted["changes"] == {} and part.done == []
    assert "would be moved with keystone" in predicted["comment"]
    done = Node("2")
    assert done.state(moved_with="keystone")["changes"] == {}
    assert part.state(moved_with="keystone")["result"] is True and RESTART in part.done  # it was not
