"""Salt's own API over a real master, as the shipped configuration has it."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import attr
import yaml
from saltfactories.bases import SaltDaemon
from saltfactories.daemons.api import SaltApi

CHECKOUT = Path(__file__).resolve().parents[2]
SHIPPED = CHECKOUT / "etc/salt-api/live-page.conf"
#: Who may log in: name → its role in the shipped configuration, None for somebody who may do something else.
USERS = {"anna": "openstack-operators%", "otto": "openstack-viewers%", "eve": None}
PASSWORD = "secret-of-the-tests"
WITHIN = 60  # seconds for an answer, on a busy machine
PATIENCE = 300  # seconds until something counts as hung, also on a busy machine


def configuration(folder: Path) -> dict:
    """The shipped configuration, with a port, a certificate, a page and users of the tests.

    folder: where those are.
    """
    folder.mkdir(exist_ok=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "live.key",
         "-out", "live.crt", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    (folder / "users").write_text("".join(f"{name}:{PASSWORD}\n" for name in USERS))
    shipped = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    roles = shipped["external_auth"].pop("pam")
    shipped["external_auth"]["file"] = {
        "^filename": str(folder / "users"),
        **{name: roles[role] if role else ["@jobs"] for name, role in USERS.items()},
    }
    shipped["netapi_dirs"] = [str(CHECKOUT / "_netapi")]
    shipped["rollout_api"] |= {
        **{"host": "127.0.0.1", "port": _free_port(), "app": str(folder / "page.html")},
        **{"ssl_crt": str(folder / "live.crt"), "ssl_key": str(folder / "live.key")},
    }
    return {**shipped, "token_expire_user_override": True}


@attr.s(kw_only=True, slots=True)
class Daemon(SaltApi):
    """salt-api, which serves nothing but rollout_api."""

    def __attrs_post_init__(self):
        self.check_ports = [self.config["rollout_api"]["port"]]
        SaltDaemon.__attrs_post_init__(self)  # what stands between knows Salt's own APIs alone


class Client:
    """A program that speaks to the API by hand. settings: of `configuration`."""

    def __init__(self, settings: dict):
        self._settings = settings["rollout_api"]
        self.address = f"https://localhost:{self._settings['port']}"
        self.token = ""

    def login(self, name, **more):
        """Log in; what the API answers."""
        status, answer = self.post(
            "/login", {"username": name, "password": PASSWORD, "eauth": "file", **more}
        )
        assert status == 200, answer
        self.token = answer["return"][0]["token"]
        return answer["return"][0]

    def runner(self, verb, client="runner", **kwarg):
        """Have a function of the rollout runner called: (HTTP status, what it returns)."""
        status, answer = self.post("/", [{"client": client, "fun": f"rollout.{verb}", "kwarg": kwarg}])
        return status, answer["return"][0] if status == 200 else answer

    def post(self, path, data):
        """(HTTP status, the answer)."""
        return self._ask(path, json.dumps(data).encode())

    def get(self, path, accept="application/json"):
        """(HTTP status, the answer); of the events their first line."""
        return self._ask(path, None, accept)

    def events(self):
        """The stream of events, open: a file of its lines."""
        return self._open("/events", None, "text/event-stream")

    def page(self):
        """The page, open, with its headers."""
        return self._open(self._settings["app_path"], None, "text/html")

    def _ask(self, path, data, accept="application/json"):
        try:
            with self._open(path, data, accept) as answer:
                if path == "/events":
                    return answer.status, answer.readline().decode()
                text = answer.read().decode()
                return answer.status, json.loads(text) if accept == "application/json" else text
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def _open(self, path, data, accept):
        headers = {"Accept": accept, "Content-Type": "application/json", "X-Auth-Token": self.token}
        request = urllib.request.Request(self.address + path, data, headers)
        trusting = ssl.create_default_context(cafile=self._settings["ssl_crt"])
        return urllib.request.urlopen(request, timeout=WITHIN, context=trusting)


def _free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
