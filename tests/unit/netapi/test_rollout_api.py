"""Salt's API for the live page: nobody reads or does what he may not, whatever Salt itself would serve."""

from __future__ import annotations

import io
import json
import sys
from datetime import datetime, timedelta
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import cherrypy
import pytest
import salt.auth
import salt.config
import salt.loader
import salt.netapi
import salt.utils.event
import yaml
from salt.netapi import rest_cherrypy
from tornado.iostream import StreamClosedError

from tests.unit.loading import load

CHECKOUT = Path(__file__).resolve().parents[3]
UTILS = str(CHECKOUT / "_utils")
USERS = {"otto": ["live$"], "anna": ["live$", "pause$", "resume$"], "eve": None}
WENT_ON = {"fun": "runner.rollout.resume", "user": "anna", "return": "NO_RUN: there is none"}
FIRED = (
    ("salt/job/20261130/ret/ctl1", {"fun": "cp.get_file_str", "return": "a file"}),
    ("salt/run/1/ret", {"fun": "runner.rollout.backups", "user": "anna", "return": "a file"}),
    ("salt/run/2/ret", WENT_ON),
    ("openstack/rollout/R/ovn/ctl1/apply", {"message": "no image, token=hunter2"}),
)


class Bus:
    """The master's bus with what was fired on it; then the master is gone. A context manager."""

    def __init__(self, *_, **__):
        self._events = [{"tag": tag, "data": data} for tag, data in FIRED]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def get_event(self, **_):
        if not self._events:
            raise StreamClosedError
        return self._events.pop(0)


@pytest.fixture
def api(tmp_path, monkeypatch):
    """What is served: a function of a user, a path and what is posted → (status, headers, text)."""
    allowed = {name: [{"@rollout": verbs}] if verbs else ["@jobs"] for name, verbs in USERS.items()}
    users = tmp_path / "users"
    users.write_text("".join(f"{name}:its password\n" for name in USERS))
    own = {
        **{"root_dir": str(tmp_path), "cachedir": str(tmp_path), "token_dir": str(tmp_path)},
        **{"sock_dir": str(tmp_path), "external_auth": {"file": {"^filename": str(users), **allowed}}},
    }
    opts = salt.config.apply_master_config(own, dict(salt.config.DEFAULT_MASTER_OPTS))
    page = tmp_path / "page.html"
    page.write_text("<p>the page")
    settings = {"port": 1, "ssl_crt": "crt", "ssl_key": "key", "app": str(page)}
    logins = salt.auth.LoadAuth(opts)
    tokens = {name: token(logins, name) for name in USERS}
    served = []
    module = load("netapi", "rollout_api", opts={**opts, "rollout_api": settings})
    monkeypatch.setattr(module.rest_cherrypy, "verify_certs", lambda *_: None)
    monkeypatch.setattr(cherrypy, "quickstart", lambda *given: served.append(cherrypy.Application(*given)))
    monkeypatch.setattr(salt.utils.event, "get_event", Bus)
    monkeypatch.setattr(
        salt.auth.Resolver, "get_token", lambda _, made: logins.get_tok(made)
    )  # of the master
    monkeypatch.setattr(salt.netapi.NetapiClient, "run", lambda _, low: f"called {low['fun']}")
    module.start()

    def ask(user, path, posted=None):
        sent = json.dumps(posted).encode()
        environ = {
            **{"REQUEST_METHOD": "GET" if posted is None else "POST", "PATH_INFO": path, "SCRIPT_NAME": ""},
            **{"wsgi.input": io.BytesIO(sent), "CONTENT_LENGTH": str(len(sent))},
            **{"CONTENT_TYPE": "application/json", "HTTP_ACCEPT": "application/json"},
            "HTTP_X_AUTH_TOKEN": tokens.get(user, ""),
        }
        setup_testing_defaults(environ)
        told = {}
        body = served[0](
            environ, lambda status, headers, *_: told.update(status=status, headers=dict(headers))
        )
        text = b"".join(body).decode()
        return int(told["status"][:3]), told["headers"], text

    return ask


def token(logins, name):
    """A login of somebody, as salt-api keeps it."""
    login = {"eauth": "file", "username": name, "password": "its password"}
    made = logins.mk_token(login)["token"]
    cherrypy.lib.sessions.RamSession.cache[made] = ({"token": made}, datetime.now() + timedelta(hours=1))
    return made


def tags(text):
    return [line[5:] for line in text.splitlines() if line.startswith("tag: ")]


def test_events_of_updates_are_for_those_who_may_look_and_others_for_nobody(api):
    status, _, text = api("otto", "/events")
    assert (status, tags(text)) == (200, [FIRED[3][0]])
    assert "no image, token=" in text and "hunter2" not in text and "a file" not in text
    status, _, text = api("anna", "/events")
    assert (status, tags(text)) == (200, [FIRED[2][0], FIRED[3][0]])
    for user in ("eve", "nobody"):
        status, _, text = api(user, "/events")
        assert status == 401 and "hunter2" not in text


def test_nothing_is_called_but_what_has_a_button(api):
    live = {"client": "runner", "fun": "rollout.live"}
    assert api("otto", "/", [live])[0] == 200
    assert api("anna", "/", [{"client": "runner_async", "fun": "rollout.resume"}])[0] == 200
    assert api("nobody", "/", [live])[0] == 401
    for low in (
        {"client": "runner", "fun": "rollout.page"},
        {"client": "runner", "fun": "jobs.list_jobs"},
        {"client": "local", "tgt": "*", "fun": "rollout.live"},
        {"client": "wheel", "fun": "key.list_all"},
        {"fun": "rollout.live"},
        "rollout.live",
    ):
        assert api("anna", "/", [low])[0] == 403, low
        assert api("anna", "/", [live, low])[0] == 403, low


def test_what_else_salt_would_serve_is_not_there(api):
    for path in ("/hook/x", "/ws", "/run", "/token", "/minions", "/jobs", "/keys", "/stats", "/app"):
        assert api("anna", path)[0] == 404, path
        assert api("anna", path, {"client": "runner", "fun": "rollout.live"})[0] == 404, path


def test_no_other_page_may_show_or_ask_it(api):
    status, headers, text = api("nobody", "/rollout")
    assert (status, text) == (200, "<p>the page")
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert not [name for name in headers if name.startswith("Access-Control")]


def test_salt_api_finds_it_with_the_shipped_configuration_and_starts_nothing_else(tmp_path, monkeypatch):
    shipped = yaml.safe_load((CHECKOUT / "etc/salt-api/live-page.conf").read_text(encoding="utf-8"))
    shipped["netapi_dirs"] = [
        one.replace("/srv/openstack-rollout", str(CHECKOUT)) for one in shipped["netapi_dirs"]
    ]
    own = {"root_dir": str(tmp_path), "extension_modules": str(tmp_path), "utils_dirs": [UTILS], **shipped}
    opts = salt.config.apply_master_config(own, dict(salt.config.DEFAULT_MASTER_OPTS))
    found = salt.loader.netapi(opts)
    assert [one for one in found if one.endswith(".start")] == ["rollout_api.start"]

    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != UTILS])
    monkeypatch.setattr(rest_cherrypy, "verify_certs", lambda *_: None)
    served = []
    monkeypatch.setattr(cherrypy, "quickstart", lambda *given: served.append(given))
    found["rollout_api.start"]()
    assert len(served) == 1 and UTILS in sys.path, "it finds what the page and the API have in common"


@pytest.mark.parametrize("missing", ["port", "ssl_crt", "ssl_key", "app"])
def test_without_all_that_it_needs_it_is_not_started(missing):
    settings = {"port": 1, "ssl_crt": "crt", "ssl_key": "key", "app": "page"}
    virtual = load("netapi", "rollout_api", opts={"rollout_api": settings}).__virtual__
    assert virtual() == "rollout_api"
    del settings[missing]
    assert virtual()[0] is False
    assert load("netapi", "rollout_api", opts={}).__virtual__()[0] is False
