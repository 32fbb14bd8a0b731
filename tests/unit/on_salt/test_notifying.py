"""People are told once of what happens, through apprise; no run waits for it, or fails with it."""

from __future__ import annotations

import json
import logging
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import salt.config
import salt.loader
import salt.state

from openstack_rollout.declared.model import Model
from openstack_rollout.on_salt import notifying
from openstack_rollout.on_salt.notifying import Notifier
from tests.unit.simulated_fleet import MemoryStore

REACTOR = Path(__file__).resolve().parents[3] / "etc" / "reactor" / "webhook.sls"
SECRET = "s3cret"
PAUSED = {"run": "r1", "stage": "-", "node": "-", "step": "run", "status": "paused", "state": "paused",
          "reason": "ALERT_FIRING", "message": "gate compute:calm: NovaDown", "rollback": ""}  # fmt: skip
FAILED = {
    **PAUSED,
    "node": "cmp1",
    "stage": "ovn",
    "step": "apply",
    "status": "failed",
    "reason": "APPLY_FAILED",
}
GOES_ON = {**FAILED, "status": "succeeded", "reason": ""}


@pytest.fixture
def opts(tmp_path, monkeypatch):
    monkeypatch.setenv("ROLLOUT_TOLD", f"json://me:{SECRET}@127.0.0.1:1/")
    monkeypatch.setattr(notifying, "RETRY", 0.0)
    config = tmp_path / "master"
    config.write_text("osenv: {driver: env}\n")
    return dict(salt.config.master_config(str(config)))


def declared(**more):
    return Model.model_validate({"notifications": {"to": ["sdb://osenv/ROLLOUT_TOLD"], **more}})


class Sent(list):
    """What was sent. fails: how often it does not work before."""

    fails = 0

    def __call__(self, urls, title, text):
        if self.fails:
            self.fails -= 1
            return False
        self.append((list(urls), title, text))
        return True


def notifier(opts, sent, store=None, model=None):
    kept = store or MemoryStore()
    return Notifier(opts, lambda: kept, lambda: model or declared(), sent)


def hear(one, *events):
    for event in events:
        one.heard(event)
    one.close()


def test_the_link_stays_whole(opts):
    sent = Sent()
    hear(notifier(opts, sent, model=_linked("https://me@master.example/rollout?run={run}")), FAILED)
    ((_, _, text),) = sent
    assert "https://me@master.example/rollout?run=r1" in text


def _linked(link):
    return Model.model_validate({"notifications": {"to": ["sdb://osenv/ROLLOUT_TOLD"], "link": link}})


def test_a_happening_is_told_once_until_the_run_gets_on(opts):
    sent, store = Sent(), MemoryStore()
    hear(notifier(opts, sent, store), FAILED, PAUSED, PAUSED)
    assert [title for _, title, _ in sent] == [
        "openstack: cmp1 failed in run r1 (ovn, apply)",
        "openstack: run r1 pauses",
    ]
    assert "ALERT_FIRING: gate compute:calm: NovaDown" in sent[1][2] and "rollout.resume" in sent[1][2]
    assert sent[0][0] == [f"json://me:{SECRET}@127.0.0.1:1/"]
    # A scheduler that goes on again and again, each time in a process of its own.
    hear(notifier(opts, sent, store), PAUSED)
    assert len(sent) == 2
    hear(notifier(opts, sent, store), GOES_ON, PAUSED)
    assert len(sent) == 3
    hear(notifier(opts, sent, store), {**PAUSED, "run": "r2"})
    assert len(sent) == 4


def test_who_wants_to_be_told_of_some_things_only(opts):
    sent = Sent()
    hear(notifier(opts, sent, model=declared(about=["failure"])), FAILED, PAUSED)
    assert len(sent) == 1 and "failed" in sent[0][1]


def test_nobody_is_told_where_nobody_is_named(opts):
    sent = Sent()
    nobody = Notifier(opts, lambda: pytest.fail("nothing is kept"), Model, sent)
    hear(nobody, FAILED, PAUSED)
    hear(Notifier(opts, lambda: pytest.fail("nothing is kept"), lambda: None, sent), PAUSED)
    assert sent == []


def test_what_cannot_be_sent_is_tried_again_and_then_logged_without_the_secret(opts, caplog):
    sent = Sent()
    sent.fails = 2
    hear(notifier(opts, sent), PAUSED)
    assert len(sent) == 1
    sent.fails = 99

    def raises(urls, title, text):
        raise ValueError(f"cannot send to {urls}")

    with caplog.at_level(logging.WARNING):
        hear(notifier(opts, sent), PAUSED)
        hear(notifier(opts, raises), PAUSED)
        hear(notifier(opts, sent, model=declared(to=["sdb://osenv/NOT_SET"])), PAUSED)
    assert caplog.text.count("was not told") == 3 and SECRET not in caplog.text


def test_who_cannot_be_reached_keeps_nobody_else_waiting(opts, monkeypatch):
    monkeypatch.setenv("ROLLOUT_TOLD_TOO", "json://127.0.0.1:2/")
    tried = []

    def send(urls, title, text):
        tried.append(urls[0].rpartition(":")[2])
        return urls == ["json://127.0.0.1:2/"]

    both = declared(to=["sdb://osenv/ROLLOUT_TOLD", "sdb://osenv/ROLLOUT_TOLD_TOO"])
    hear(notifier(opts, send, model=both), PAUSED)
    assert tried == ["1/", "2/", "1/", "1/"]


def test_a_run_waits_for_nobody(opts, monkeypatch, caplog):
    monkeypatch.setattr(notifying, "LEAVES_AFTER", 0.1)
    forever, ended = threading.Event(), []
    with caplog.at_level(logging.WARNING):
        hear(notifier(opts, lambda *_: ended.append(forever.wait(20))), PAUSED)
    assert ended == [] and "0.1 s" in caplog.text  # what was not sent by then is in the log
    forever.set()


def test_what_is_wrong_is_seen_before_a_run(opts, monkeypatch, caplog):
    assert notifying.problems(opts, Model()) == []
    assert notifying.problems(opts, declared()) == []
    for nonsense in (f"nonsense-{SECRET}", f"slack://{SECRET}", f"nothing://{SECRET}"):
        monkeypatch.setenv("ROLLOUT_TOLD", nonsense)
        (line,) = notifying.problems(opts, declared())
        assert line.startswith("openstack:notifications:to:0: ") and SECRET not in line
        assert not notifying.through_apprise([nonsense], "title", "text")
    assert SECRET not in caplog.text
    (line,) = notifying.problems(opts, declared(to=["sdb://osenv/NOT_SET"]))
    assert "sdb://osenv/NOT_SET cannot be read" in line or "has no value" in line


def test_a_master_without_apprise_says_so(opts, monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    (line,) = notifying.problems(opts, declared())
    assert "salt-pip install apprise" in line


def test_apprise_itself_sends_it(opts, monkeypatch):
    posted = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("ROLLOUT_TOLD", f"json://127.0.0.1:{server.server_port}/")
    kept = MemoryStore()
    hear(Notifier(opts, lambda: kept, lambda: declared(link="https://page.example/{run}")), PAUSED)
    server.shutdown()
    server.server_close()
    (found,) = posted
    assert found["title"] == "openstack: run r1 pauses"
    assert "ALERT_FIRING" in found["message"] and "https://page.example/r1" in found["message"]


@pytest.mark.parametrize(
    ("status", "more", "called"),
    [
        ("started", {}, ""),
        ("paused", {}, "run r1: paused, ALERT_FIRING: "),
        ("succeeded", {"reason": ""}, "run r1: succeeded: "),
        ("succeeded", {"reason": "", "rollback": "r0"}, "rollback r1 of run r0: succeeded: "),
    ],
)
def test_the_reactor_that_is_shipped_is_one(opts, monkeypatch, status, more, called):
    monkeypatch.setenv("WEBHOOK", 'https://chat.example/hook?key=a&b="c')
    own = {**opts, "rollout_secrets": {"driver": "env"}, "reactor": [], "file_client": "local"}
    compiler = salt.state.Compiler(own, salt.loader.render(own, salt.loader.minion_mods(own)))
    told = {**PAUSED, "status": status, "state": status, "message": 'it says "no": {x}\\', **more}
    found = compiler.render_template(str(REACTOR), tag="openstack/rollout/r1/-/-/run", data=told)
    if status == "started":
        assert not found
        return
    found["tell of the run"]["__sls__"] = REACTOR.stem
    ((chunk,), wrong) = compiler.compile_high_data(found)
    assert not wrong and (chunk["state"], chunk["fun"]) == ("runner", "http.query")
    given = {key: value for one in chunk["args"] for key, value in one.items()}
    assert given["url"] == 'https://chat.example/hook?key=a&b="c' and given["method"] == "POST"
    assert json.loads(given["data"])["text"] == called + told["message"]
