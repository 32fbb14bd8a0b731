"""The journal in Salt's own cache on a disk that a power cut, or somebody, has spoiled."""

from __future__ import annotations

import pytest
import salt.cache
import salt.config
import salt.payload

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt.cache_store import CacheStore
from openstack_rollout.records.journal import Journal


@pytest.fixture
def master(tmp_path):
    opts = {**salt.config.DEFAULT_MASTER_OPTS, "cachedir": str(tmp_path)}
    return Journal(CacheStore(salt.cache.factory(opts))), tmp_path / "openstack" / "rollout"


def opened(journal):
    return journal.create("1.0.1", "orch.update", ["ovn"], {"pid": 1, "host": "master"})


@pytest.mark.parametrize("left", [b"", b"\xc1\xff\x00garbage", b"\x81"])
@pytest.mark.parametrize("what", ["run", "current"])
def test_what_cannot_be_read_is_one_line_and_is_repaired(master, left, what, monkeypatch):
    monkeypatch.setattr(salt.payload.log, "disabled", True)  # it is kept until the process ends
    journal, place = master
    run = opened(journal)
    file = place / "runs" / f"{run.id}.p" if what == "run" else place / "current.p"
    file.write_bytes(left)
    with pytest.raises(RolloutError) as damaged:
        journal.unfinished()
    assert damaged.value.reason == "JOURNAL_DAMAGED" and "\n" not in damaged.value.message
    assert (run.id if what == "run" else "current") in damaged.value.message
    assert journal.repair() and journal.unfinished() is None and journal.repair() == []
    assert journal.run(opened(journal).id)


def test_what_cannot_be_written_is_named(master):
    journal, place = master
    place.parent.parent.mkdir(parents=True, exist_ok=True)
    place.parent.write_text("a file where the folder should be")
    with pytest.raises(RolloutError) as failed:
        opened(journal)
    assert failed.value.reason == "JOURNAL_FAILED" and "openstack/rollout" in failed.value.message
