"""container: truthful predictions, no needless restart, the way back when the new container fails."""

from __future__ import annotations

import functools
from types import SimpleNamespace

import pytest

from openstack_rollout.node import container_change, replacements, storage, waiting
from tests.unit.clocks import no_sleep
from tests.unit.loading import load

from .machine import HEADER, Guard, Machine

OLD, NEW = "reg/nova@sha256:old", "reg/nova@sha256:new"
OURS = {"PODMAN_SYSTEMD_UNIT": "nova.service"}
HEALTH = {"command": ["/openstack/healthcheck"], "timeout": 0}


def state(machine, test=False, guard=None):
    functions = machine.functions() | (guard.functions() if guard else {})
    return load("states", "container", salt=functions, opts={"test": test})


@pytest.fixture(autouse=True)
def nobody_sleeps(monkeypatch):
    until = functools.partial(waiting.until, clock=no_sleep())
    monkeypatch.setattr(container_change, "waiting", SimpleNamespace(until=until))


def at_old(**faults):
    """A machine whose nova runs the old image, started by us and proven."""
    machine = Machine(local=[OLD], **faults)
    assert state(machine).running("nova", OLD, health=HEALTH)["result"] is True
    machine.containers["nova"]["healthy"] = True
    machine.did.clear()
    return machine


def test_a_new_image_is_pulled_first_then_started():
    machine = at_old()
    answer = state(machine).running("nova", NEW, health=HEALTH)
    assert answer["result"] is True and answer["changes"]["nova"]["new"] == NEW
    assert machine.did == [f"pull {NEW}", "write nova", f"restart nova {NEW}"]
    assert machine.proven == {} and OLD in machine.local


def test_the_prediction_touches_nothing_and_says_what_comes():
    machine = at_old()
    predicted = state(machine, test=True).running("nova", NEW, health=HEALTH)
    assert predicted["result"] is None and machine.did == []
    assert predicted["changes"] == state(machine).running("nova", NEW, health=HEALTH)["changes"]


@pytest.mark.parametrize("test", [True, False])
def test_the_second_run_does_nothing(test):
    machine = at_old()
    answer = state(machine, test).running("nova", OLD, health=HEALTH)
    assert (answer["result"], answer["changes"], machine.did) == (True, {}, [])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda machine: machine.containers.clear(), "does not exist"),
        (lambda machine: machine.containers["nova"].update(running=False), "does not run"),
        (lambda machine: machine.containers["nova"].update(healthy=False), "unhealthy"),
        (lambda machine: machine.containers["nova"].update(image_id="other"), "image differs"),
        (lambda machine: machine.containers["nova"].update(labels=OURS), "configuration differ"),
        (lambda machine: machine.quadlets.update(nova=f"{HEADER} edited"), "configuration differ"),
    ],
)
def test_what_is_not_as_wanted_is_predicted_and_put_right(spoil, reason):
    machine = at_old()
    spoil(machine)
    predicted = state(machine, test=True).running("nova", OLD, health=HEALTH)
    assert predicted["result"] is None and reason in predicted["comment"]
    assert state(machine).running("nova", OLD, health=HEALTH)["changes"] == predicted["changes"]
    assert machine.containers["nova"]["running"]


def test_a_changed_argument_restarts_with_the_same_image():
    machine = at_old()
    state(machine).running("nova", OLD, health=HEALTH, quadlet={"Container": {"Network": "host"}})
    assert machine.did == ["write nova", f"restart nova {OLD}"]


def test_a_missing_image_fails_before_anything_is_touched():
    machine = at_old(missing=[NEW])
    answer = state(machine).running("nova", NEW, health=HEALTH)
    assert answer["result"] is False and answer["reason"] == "IMAGE_MISSING"
    assert machine.did == [] and machine.containers["nova"]["image"] == OLD


@pytest.mark.parametrize(
    ("faults", "reason"), [({"exits": [NEW]}, "CONTAINER_EXITED"), ({"sick": [NEW]}, "CONTAINER_UNHEALTHY")]
)
def test_a_container_that_fails_gives_way_to_what_ran_before(faults, reason):
    machine = at_old(**faults)
    answer = state(machine).running("nova", NEW, health=HEALTH)
    assert answer["result"] is False and answer["changes"] == {}
    assert answer["reason"] == reason and "the last words" in answer["comment"]
    assert "previous image of nova was started again" in answer["comment"]
    assert machine.containers["nova"]["image"] == OLD and OLD in machine.quadlets["nova"]


def test_the_way_back_survives_a_run_that_died_between_writing_and_proving():
    machine = at_old(exits=[NEW])
    state(machine).running("nova", NEW, health=HEALTH, on_failure="leave")
    assert machine.containers["nova"]["image"] == NEW
    state(machine).running("nova", NEW, health=HEALTH)
    assert machine.containers["nova"]["image"] == OLD


def test_a_first_container_that_fails_is_removed_again():
    machine = Machine(exits=[NEW])
    answer = state(machine).running("nova", NEW, health=HEALTH)
    assert answer["result"] is False and "did not run before" in answer["comment"]
    assert machine.containers == {} and machine.quadlets == {}


def test_a_run_that_died_while_waiting_is_finished_by_the_next():
    machine = at_old()
    machine.sick = {OLD}
    machine.containers["nova"]["healthy"] = None
    answer = state(machine).running("nova", OLD, health=HEALTH)
    assert answer["result"] is False and answer["reason"] == "CONTAINER_UNHEALTHY"
    assert machine.did == []


FOREIGN = {"running": True, "image": OLD, "image_id": "x", "healthy": None, "labels": {}}


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda machine: machine.containers.update(nova=dict(FOREIGN)), "nobody who is known here"),
        (lambda machine: machine.quadlets.update(nova="[Container]"), "the quadlet /etc/containers/systemd"),
        (lambda machine: machine.legacy.add("nova"), "the unit nova.service"),
    ],
)
def test_what_is_somebody_elses_is_left_alone_and_told(spoil, said, test):
    machine = Machine(local=[NEW])
    spoil(machine)
    before = repr((machine.containers, machine.quadlets))
    answer = state(machine, test).running("nova", NEW, health=HEALTH, legacy_units=["edpm_nova"])
    assert answer["result"] is False and answer["reason"] == "CONTAINER_FOREIGN" and said in answer["comment"]
    assert machine.did == [] and repr((machine.containers, machine.quadlets)) == before


def test_a_container_of_our_unit_that_somebody_else_made_is_left_alone():
    machine = at_old()
    machine.containers["nova"]["labels"] = {}
    assert state(machine).running("nova", NEW, health=HEALTH)["reason"] == "CONTAINER_FOREIGN"
    assert machine.did == [] and machine.containers["nova"]["image"] == OLD


def dropped(machine):
    machine.dropped = True


def masked(machine):
    machine.units["nova.service"] = ("masked", "")


def shadowed(machine):
    machine.units["nova.service"] = ("loaded", "/run/systemd/system/nova.service")


UNFIT = [(dropped, "DEFINITION_REFUSED"), (masked, "UNIT_MASKED"), (shadowed, "CONTAINER_FOREIGN")]


@pytest.mark.parametrize(("fault", "reason"), UNFIT)
@pytest.mark.parametrize("test", [False, True])
def test_the_next_unit_is_proven_before_anything_is_touched(fault, reason, test):
    machine = at_old()
    fault(machine)
    answer = state(machine, test=test, guard=Guard(machine)).running("nova", NEW, **GUARDED)
    assert answer["reason"] == reason and answer["result"] is False and machine.did == []


@pytest.mark.parametrize(("fault", "reason"), UNFIT)
def test_it_is_proven_beforehand_too_and_only_where_that_is_due(fault, reason):
    machine = at_old()
    fault(machine)
    module = state(machine)
    assert module.startable("proof", NEW, container="nova", health=HEALTH)["reason"] == reason
    assert module.startable("proof", OLD, container="nova", health=HEALTH)["result"] is True
    assert machine.did == []


def test_what_is_masked_and_as_it_must_be_is_left_alone():
    machine = at_old()
    masked(machine)
    assert state(machine).running("nova", OLD, health=HEALTH)["result"] is True and machine.did == []


@pytest.mark.parametrize("mended", [True, False])
def test_an_image_that_cannot_be_read_is_pulled_again_once_before_any_guard_acts(mended):
    machine = at_old()
    machine.local.add(NEW)
    machine.damaged = {NEW}
    machine.mended_by_a_pull = {NEW} if mended else set()
    answer = state(machine, guard=Guard(machine)).running("nova", NEW, **GUARDED)
    assert machine.did[:2] == [f"remove image {NEW}", f"pull {NEW}"]
    assert answer["result"] is mended and (mended or machine.did[2:] == [])
    assert mended or answer["reason"] == "IMAGE_DAMAGED"


def test_a_damaged_image_is_found_when_it_is_prefetched():
    machine = Machine(local=[NEW], damaged=[NEW])
    assert state(machine).image_present("prefetch", NEW)["reason"] == "IMAGE_DAMAGED"
    assert state(machine).image_present("prefetch", NEW, counts=False)["result"] is True


def test_no_room_for_the_record_of_a_change_touches_nothing(monkeypatch):
    machine = at_old()
    monkeypatch.setattr(storage, "WRITTEN", ("/",))
    monkeypatch.setattr(storage, "room", lambda folder: storage.Room("/", 5, None))
    answer = state(machine, guard=Guard(machine)).running("nova", NEW, **GUARDED)
    assert answer["reason"] == "DISK_FULL" and machine.did == []


def legacy_machine(**faults):
    machine = Machine(**faults)
    machine.legacy = {"edpm_nova"}
    machine.carried = {"nova": {"unit": "edpm_nova.service", "engine": "podman", "image": OLD}}
    machine.containers["nova"] = {
        "running": True, "image": OLD, "image_id": "x", "healthy": None, "labels": {},
    }  # fmt: skip
    return machine


def test_a_legacy_unit_goes_once_ours_is_proven():
    machine = legacy_machine()
    answer = state(machine).running("nova", NEW, health=HEALTH, legacy_units=["edpm_nova", "tripleo_nova"])
    assert answer["result"] is True
    assert machine.did == [
        f"pull {NEW}",
        "stop legacy edpm_nova",
        "rename nova nova-legacy",
        "write nova",
        f"restart nova {NEW}",
        "remove nova-legacy",
        "remove legacy edpm_nova",
    ]


def test_a_legacy_unit_comes_back_when_ours_fails():
    machine = legacy_machine(exits=[NEW])
    answer = state(machine).running("nova", NEW, health=HEALTH, legacy_units=["edpm_nova"])
    assert answer["result"] is False and "previous unit edpm_nova was started again" in answer["comment"]
    assert machine.containers["nova"]["image"] == OLD and machine.legacy == {"edpm_nova"}
    assert machine.did[-2:] == ["rename nova-legacy nova", "start legacy edpm_nova"]


def test_a_watched_file_predicts_and_makes_a_restart():
    machine = at_old()
    arguments = {"image": OLD, "health": HEALTH, "sfun": "running", "failhard": True}
    predicted = state(machine, test=True).mod_watch("nova", **arguments)
    assert predicted["result"] is None and machine.did == []
    assert state(machine).mod_watch("nova", **arguments)["changes"] == predicted["changes"]
    assert machine.did[-1] == f"restart nova {OLD}"


def test_an_image_is_pulled_once():
    machine = Machine()
    assert state(machine, test=True).image_present("image", NEW)["result"] is None
    assert state(machine).image_present("image", NEW)["changes"] == {"image": {"old": None, "new": NEW}}
    assert state(machine).image_present("image", NEW)["changes"] == {}


def test_a_pull_that_does_not_count_is_no_change():
    machine = Machine()
    assert state(machine, test=True).image_present("image", NEW, counts=False)["result"] is True
    answer = state(machine).image_present("image", NEW, counts=False)
    assert answer["result"] is True and answer["changes"] == {} and NEW in machine.local


def test_orphans_of_ours_go_and_what_is_wanted_stays():
    machine = at_old()
    predicted = state(machine, test=True).orphans_absent("orphans", wanted=["glance"])
    assert predicted["result"] is None and machine.did == []
    assert state(machine).orphans_absent("orphans", wanted=["glance"])["changes"] == predicted["changes"]
    assert machine.did == ["stop nova.service", "remove nova", "unwrite nova"]
    assert state(machine).orphans_absent("orphans", wanted=["glance"])["changes"] == {}


GUARDED = {"health": HEALTH, "guard": "ovn_controller"}
TOKEN = {"before": "stop"}


def test_a_guard_sees_the_container_through_its_change():
    machine = at_old()
    guard = Guard(machine)
    answer = state(machine, guard=guard).running("nova", NEW, **GUARDED)
    assert answer["result"] is True and machine.held == set()
    assert machine.did == [
        f"pull {NEW}",
        "leave nova, held ['nova.service']",
        "write nova",
        f"restart nova {NEW}",
        f"prove {NEW} with {TOKEN}",
    ]


def test_a_guard_that_refuses_leaves_the_container_alone():
    machine = at_old()
    guard = Guard(machine, refuses=True)
    answer = state(machine, guard=guard).running("nova", NEW, **GUARDED)
    assert answer["result"] is False and answer["reason"] == "OVN_NOT_CAUGHT_UP"
    assert machine.did == [f"pull {NEW}", "undo None"] and machine.held == set()
    assert machine.containers["nova"]["image"] == OLD and OLD in machine.quadlets["nova"]


@pytest.mark.parametrize("faults", [{"exits": [NEW]}, {"sick": [NEW]}, {}])
def test_nothing_of_a_guard_stays_set_when_the_new_container_fails(faults):
    machine = at_old(**faults)
    guard = Guard(machine, behind=[NEW])
    answer = state(machine, guard=guard).running("nova", NEW, **GUARDED)
    assert answer["result"] is False and "previous image of nova was started again" in answer["comment"]
    assert machine.did[-3:] == [f"restart nova {OLD}", f"prove {OLD} with {TOKEN}", f"undo {TOKEN}"]
    assert machine.containers["nova"]["image"] == OLD and machine.held == set()


def test_a_guard_is_undone_also_when_the_previous_container_does_not_come_back():
    machine = at_old(exits=[NEW])
    guard = Guard(machine, behind=[OLD])
    answer = state(machine, guard=guard).running("nova", NEW, **GUARDED)
    assert answer["comment"].endswith("It is not back in service: OVN_NOT_CAUGHT_UP: waits for its flows")
    assert machine.did[-1] == f"undo {TOKEN}"


def test_a_guard_is_undone_when_our_own_code_fails():
    machine = at_old()
    guard = Guard(machine)
    module = state(machine, guard=guard)
    module.__salt__["quadlet.restart"] = lambda unit: {}["not there"]
    with pytest.raises(KeyError):
        module.running("nova", NEW, **GUARDED)
    assert machine.did[-1] == f"undo {TOKEN}"


def test_a_guard_proves_a_first_container_as_well():
    machine = Machine()
    answer = state(machine, guard=Guard(machine)).running("nova", NEW, **GUARDED)
    assert answer["result"] is True and machine.did[-1] == f"prove {NEW} with None"


def test_a_guards_change_that_died_is_predicted_and_finished():
    machine = at_old()
    guard = Guard(machine)
    guard.token = TOKEN
    predicted = state(machine, test=True, guard=guard).running("nova", OLD, **GUARDED)
    assert predicted["result"] is None and machine.did == []
    answer = state(machine, guard=guard).running("nova", OLD, **GUARDED)
    assert answer["changes"] == predicted["changes"] and machine.did == [f"prove {OLD} with {TOKEN}"]
    assert state(machine, guard=guard).running("nova", OLD, **GUARDED)["changes"] == {}


COPIES = {"what": "it is fed", "mark": [1], "copies": True}


def test_a_copy_that_stands_still_is_left_alone_and_gone_on_with_by_the_next_run():
    machine = at_old(sick=[NEW])
    guard = Guard(machine)
    guard.copies = COPIES
    answer = state(machine, guard=guard).running("nova", NEW, **GUARDED)
    assert answer["reason"] == "COPY_STALLED" and machine.did[-1] == f"restart nova {NEW}"
    assert (
        guard.token == TOKEN and machine.containers["nova"]["image"] == NEW and OLD in machine.proven["nova"]
    )
    machine.containers["nova"]["healthy"], machine.did = False, []
    assert state(machine, guard=guard).running("nova", NEW, **GUARDED)["reason"] == "COPY_STALLED"
    assert machine.did == []
    machine.sick, guard.copies = set(), None
    machine.containers["nova"]["healthy"] = True
    answer = state(machine, guard=guard).running("nova", NEW, **GUARDED)
    assert answer["result"] is True and machine.did == [f"prove {NEW} with {TOKEN}"]
    assert guard.token is None and machine.proven == {}


def test_a_guard_lets_the_unit_of_an_earlier_installer_go():
    machine = legacy_machine()
    guard = Guard(machine)
    answer = state(machine, guard=guard).running("nova", NEW, legacy_units=["edpm_nova"], **GUARDED)
    assert answer["result"] is True and machine.held == set()
    assert machine.did[1:3] == ["leave nova, held ['edpm_nova', 'nova.service']", "stop legacy edpm_nova"]


def test_a_container_that_has_nothing_to_go_back_to_is_not_removed():
    machine = at_old()
    machine.sick = {OLD}
    machine.containers["nova"]["healthy"] = False
    answer = state(machine).running("nova", OLD, health=HEALTH)
    assert answer["result"] is False and "it was left running" in answer["comment"]
    assert machine.containers["nova"]["running"] and OLD in machine.quadlets["nova"]


def test_a_replacement_that_a_killed_run_began_is_predicted_also_while_the_container_has_no_name(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(replacements, "FOLDER", tmp_path)
    replacements.begin("nova", "podman_command", {"unit": "tripleo_nova.service", "engine": "podman"})
    machine = Machine(local=[NEW])
    answer = state(machine, test=True).at_image("nova", NEW)
    assert answer["result"] is None and "nova" in answer["changes"] and machine.did == []
