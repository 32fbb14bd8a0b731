"""first_look: a job asks once, and again of what has changed; what does not run is never taken as known."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from openstack_rollout.node import first_look
from openstack_rollout.node.first_look import FirstLook


class Engine:
    """An engine with containers: {name: record}; `asked` is what it was asked about, in order."""

    def __init__(self, root, context=None):
        self.root, self.there, self.asked, self.now = root, {}, [], 100.0
        self.look = FirstLook(
            {} if context is None else context, "podman", SimpleNamespace(monotonic=lambda: self.now)
        )

    def start(self, name, pid, began="7", state="S", healthy=None):
        (self.root / str(pid)).mkdir(exist_ok=True)
        (self.root / str(pid) / "stat").write_text(f"{pid} (a b) c) {state} {'0 ' * 18}{began} 0\n")
        one = {"id": f"id-{name}-{pid}", "running": True, "pid": pid, "healthy": healthy}
        self.there[name] = {**one, "health_check": healthy is not None}

    def end(self, name):
        (self.root / str(self.there[name]["pid"]) / "stat").unlink()
        self.there[name] = {**self.there[name], "running": False, "pid": 0}

    def everything(self):
        self.asked.append("all")
        return self.look.whole(dict(self.there))

    def some(self, names):
        self.asked.append(",".join(names))
        return self.look.some(names, {name: self.there[name] for name in names if name in self.there})

    def containers(self):
        return self.look.containers(self.everything, self.some)

    def container(self, name):
        return self.look.container(name, self.everything, self.some)


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.setattr(first_look, "_PROC", tmp_path)
    found = Engine(tmp_path)
    for number, name in enumerate(("nova", "glance", "cinder"), 10):
        found.start(name, number)
    return found


def test_a_job_asks_once(engine):
    for _ in range(3):
        assert engine.containers().keys() == {"nova", "glance", "cinder"}
        assert [engine.container(name)["pid"] for name in engine.there] == [10, 11, 12]
    assert engine.asked == ["all"]


def test_another_job_knows_nothing(engine, tmp_path):
    engine.containers()
    other = Engine(tmp_path)
    other.there = engine.there
    assert other.container("nova") and other.asked == ["all"]


def test_a_job_in_a_thread_of_its_minion_knows_nothing_of_the_one_before(tmp_path, engine):
    """As with `multiprocessing: False`: one `__context__` for all jobs."""
    context, asked = {}, []

    def job():
        look = Engine(tmp_path, context)
        look.there = engine.there
        for _ in range(2):
            look.containers()
        asked.append(look.asked)

    for _ in range(2):
        thread = threading.Thread(target=job)
        thread.start()
        thread.join()
    assert asked == [["all"], ["all"]]


def test_a_job_does_not_go_by_what_the_process_knew_that_it_was_forked_from(tmp_path, engine, monkeypatch):
    context = {}
    first = Engine(tmp_path, context)
    first.there = engine.there
    first.containers()
    forked = Engine(tmp_path, context)
    assert forked.containers() and not forked.asked
    monkeypatch.setattr(first_look.threading, "get_native_id", lambda: -1)
    forked = Engine(tmp_path, context)
    forked.there = engine.there
    assert forked.containers() and forked.asked == ["all"]


def test_the_one_that_was_started_anew_is_asked_about_again_and_no_other(engine):
    engine.containers()
    engine.end("nova")
    engine.start("nova", 20)
    assert engine.containers()["nova"]["pid"] == 20
    assert [engine.container(name)["pid"] for name in engine.there] == [20, 11, 12]
    assert engine.asked == ["all", "nova"]


def test_a_process_id_that_another_process_has_by_now_does_not_count(engine):
    engine.containers()
    engine.end("nova")
    (engine.root / "10/stat").write_text(f"10 (other) S {'0 ' * 18}9 0\n")
    assert engine.container("nova")["running"] is False
    assert engine.asked == ["all", "nova"]


def test_what_ended_and_nobody_has_waited_for_does_not_run(engine):
    engine.containers()
    engine.start("nova", 10, state="Z")
    assert engine.container("nova") and engine.asked == ["all", "nova"]


def test_what_does_not_run_and_what_is_not_there_is_asked_about_each_time(engine):
    engine.end("nova")
    engine.containers()
    for name in ("nova", "none"):
        engine.container(name)
        engine.container(name)
    assert engine.asked == ["all", "nova", "nova", "none", "none"]
    engine.start("none", 30)
    assert engine.container("none")["running"]


@pytest.mark.parametrize(("healthy", "after", "asked"), [(True, 29, 0), (True, 31, 1), (False, 0, 1)])
def test_health_counts_for_a_moment_and_an_unhealthy_one_never(engine, healthy, after, asked):
    engine.start("nova", 10, healthy=healthy)
    engine.containers()
    engine.now += after
    assert engine.container("nova")["healthy"] is healthy
    assert engine.asked == ["all", *["nova"] * asked]


@pytest.mark.parametrize("changed", ["nova", "id-nova-10"])
def test_what_we_change_is_asked_about_again_by_its_name_or_id(engine, changed):
    engine.containers()
    engine.look.forget(changed, "nova-previous")
    engine.there["nova-previous"] = engine.there.pop("nova")
    assert engine.containers().keys() == {"nova-previous", "glance", "cinder"}
    assert engine.containers() and engine.asked[0] == "all" and len(engine.asked) == 2


def test_images_are_listed_once_and_again_after_a_change(engine):
    listed = []
    for _ in range(2):
        engine.look.images(lambda: listed.append(1) or ["image"])
    engine.look.pulled("new")
    assert engine.look.images(list) == ["image", "new"]
    engine.look.forget_images()
    engine.look.pulled("newer")
    assert engine.look.images(lambda: listed.append(1) or ["image"]) == ["image"]
    assert len(listed) == 2
