"""What guests felt, in the journal: kept with its run, forgotten with it, mended apart from it."""

from __future__ import annotations

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.records.audits import MOST_GAPS, Gap, Guest, Probed
from openstack_rollout.records.journal import Journal
from tests.unit.simulated_fleet import MemoryStore


@pytest.fixture
def journal():
    return Journal(MemoryStore())


def audited(journal, target="1.0.1"):
    run = journal.create(target, "orch.update", ["ovn"], {})
    journal.audits.save_probed(run.id, Probed("", "ping", 1.0, [(1.0, 2.0)]))
    journal.audits.save_guests(run.id, {"g0001": Guest("web", address="203.0.113.7", gaps=[Gap(1.5, 1.7)])})
    return run


def test_what_is_written_is_read(journal):
    run = audited(journal)
    assert journal.audits.probed(run.id).stretches == [(1.0, 2.0)]
    assert journal.audits.guests(run.id)["g0001"].gaps == [Gap(1.5, 1.7)]
    assert journal.audits.probed("another") is None and journal.audits.guests("another") == {}


def test_it_is_forgotten_with_its_run(journal):
    run = audited(journal)
    journal.forget(run.id)
    assert journal.audits.probed(run.id) is None and journal.audits.guests(run.id) == {}


def test_what_is_damaged_is_named_and_repaired_alone(journal):
    run = audited(journal)
    for key in ("g0001", "probed"):
        journal._store.store(
            f"openstack/rollout/runs/{run.id}/audit", key, {"version": 1, "sent": [], "apart": []}
        )
    with pytest.raises(RolloutError, match="JOURNAL_DAMAGED"):
        journal.audits.guests(run.id)
    assert journal.repair() == [f"{key} in the audit of run {run.id}" for key in ("g0001", "probed")]
    assert (
        journal.audits.guests(run.id) == {} and journal.unfinished().id == run.id and journal.repair() == []
    )


def test_of_very_many_gaps_the_longest_stay_and_one_that_lasts():
    guest = Guest()
    for number in range(MOST_GAPS + 10):
        guest.add(Gap(float(number), None if number == 3 else number + 1.0 + number % 5))
    assert len(guest.gaps) == MOST_GAPS and guest.forgotten == 10
    assert [one.begun for one in guest.gaps if one.ended is None] == [3.0]
    assert sum(one.ended is not None and one.ended - one.begun == 1.0 for one in guest.gaps) == 42 - 10
