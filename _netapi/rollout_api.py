"""Salt's API for the live page alone: its logins, the page, its calls, and the events of updates.

All of it is rest_cherrypy of Salt, without what the page does not need. There whoever may log in reads every
event of the master, and fires events: Salt knows no permissions for that. Here the events of updates are for
those who may call `rollout.live`, other events are for nobody, and what has no button on the page cannot be
called. salt-api starts it where the master's configuration has `rollout_api`; its keys are those of
`rest_cherrypy`.
"""

import logging
import sys
import time
from pathlib import Path

import cherrypy
import salt.auth
import salt.loader
import salt.utils.event
import salt.utils.json
import salt.utils.minions
from salt.netapi import rest_cherrypy
from salt.netapi.rest_cherrypy import app
from tornado.iostream import StreamClosedError

__virtualname__ = "rollout_api"

log = logging.getLogger(__name__)

_NEEDS = ("port", "ssl_crt", "ssl_key", "app")
_CLIENTS = ("runner", "runner_async")
_TAG = "openstack/rollout/"
_GOES_ON = "runner.rollout.resume"  # it ends long after its call: the page hears of that by its event
_LOOKS = 5.0  # s between two looks whether a login still lasts
_SPEAKS = 15.0  # s of silence after which a stream says that it lives; so a page that is gone is noticed too
_HEADERS = [
    ("Content-Security-Policy", "frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
]


def __virtual__():
    settings = __opts__.get(__virtualname__)
    if not settings:
        return False, f"the master's configuration has no {__virtualname__}"
    if missing := [key for key in _NEEDS if key not in settings]:
        log.error("%s is not started: it has no %s", __virtualname__, ", ".join(missing))
        return False, f"{__virtualname__} is not whole"
    return __virtualname__


def start():
    """Serve until salt-api ends."""
    utils = salt.loader.utils(__opts__).module_dirs
    sys.path.extend(one for one in utils if Path(one, "openstack_rollout").is_dir())
    settings = {"app_path": "/rollout", **__opts__[__virtualname__]}
    # Salt's own tools look for their settings, such as api_acl, there.
    opts = {**__opts__, "rest_cherrypy": settings, "netapi_enable_clients": list(_CLIENTS)}
    cherrypy.config.update({"saltopts": opts, "apiopts": settings})
    certificate, key = settings["ssl_crt"], settings["ssl_key"]
    rest_cherrypy.verify_certs(certificate, key)
    cherrypy.server.ssl_module = "builtin"
    cherrypy.server.ssl_certificate, cherrypy.server.ssl_private_key = certificate, key
    cherrypy.server.ssl_certificate_chain = settings.get("ssl_chain")
    root = _Api()
    cherrypy.quickstart(root, settings.get("root_prefix", "/"), root.get_conf())


class _Calls(app.LowDataAdapter):
    """Calls of the functions that the page has buttons for. Who may call which, the master decides."""

    def exec_lowstate(self, client=None, token=None):
        """As Salt's, for those functions alone."""
        from openstack_rollout.screens.live import VERBS  # noqa: PLC0415 - `start` says where it is

        allowed = {(client, f"rollout.{verb}") for client in _CLIENTS for verb in VERBS}
        asked = cherrypy.request.lowstate
        for one in asked if isinstance(asked, list) else ():
            if not isinstance(one, dict) or (one.get("client"), one.get("fun")) not in allowed:
                raise cherrypy.HTTPError(403, "this API calls nothing but what the live page does")
        return super().exec_lowstate(client, token)


class _Events(app.Events):
    """The events of updates, for those who may call rollout.live."""

    def __init__(self):
        super().__init__()
        self._logins = salt.auth.LoadAuth(self.opts)
        self._rules = salt.utils.minions.CkMinions(self.opts)

    def GET(self, **kwargs):
        """The stream. It ends with its login, and with the master's bus of events."""
        super().GET(**kwargs)  # refuses, or sets the headers; what it would stream is every event
        return self._stream(cherrypy.request.cookie["session_id"].value)

    def _is_valid_token(self, auth_token):
        return self._user(auth_token) is not None

    def _user(self, login):
        """The name of a login that may call rollout.live, as the master finds that, or None."""
        try:
            int(login, 16)
        except (TypeError, ValueError):
            return None
        session, _ = cherrypy.session.cache.get(login, ({}, None))
        token = self.resolver.get_token(session.get("token", login))
        if not token or token.get("expire", 0) <= time.time():
            return None
        allowed = self._logins.get_auth_list({}, token)
        return token["name"] if self._rules.runner_check(allowed, "rollout.live", {}) is True else None

    def _stream(self, login):
        user, looked, spoke = self._user(login), time.monotonic(), time.monotonic()
        with salt.utils.event.get_event("master", opts=self.opts, listen=True, raise_errors=True) as bus:
            yield "retry: 400\n"
            while True:
                try:
                    event = bus.get_event(wait=_LOOKS, full=True)
                except StreamClosedError:
                    return
                now = time.monotonic()
                if now - looked > _LOOKS:
                    if not self._is_valid_token(login):
                        return
                    looked = now
                if event and _is_for(user, event):
                    yield _told(event)
                elif now - spoke > _SPEAKS:
                    yield ":\n\n"
                else:
                    continue
                spoke = now


def _is_for(user, event):
    tag, data = event["tag"], event["data"]
    ended = tag.startswith("salt/run/") and tag.endswith("/ret") and data.get("fun") == _GOES_ON
    return tag.startswith(_TAG) or (ended and data.get("user") == user)


def _told(event):
    from openstack_rollout.screens import masking  # noqa: PLC0415 - `start` says where it is

    told = {"tag": event["tag"], "data": masking.masked(event["data"])}
    return f"tag: {event['tag']}\ndata: {salt.utils.json.dumps(told)}\n\n"


class _Api(app.API):
    """What is served, and where."""

    def _update_url_map(self):  # Salt's adds a hook that fires events, and a websocket of all events
        served = {"index": _Calls, "login": app.Login, "logout": app.Logout, "events": _Events}
        self.url_map = {**served, self.apiopts["app_path"].lstrip("/"): app.App}

    def get_conf(self):
        """As Salt's, but no other site's page is let in, and none may show this one in a frame."""
        settings = super().get_conf()
        headers = {"tools.response_headers.on": True, "tools.response_headers.headers": _HEADERS}
        settings["/"] |= {"tools.cors_tool.on": False, **headers}
        return settings
