"""http_answers: real servers, of which a unit is said to listen where they do."""

from __future__ import annotations

import http.server
import socket
import ssl
import subprocess
import threading

import pytest

from openstack_rollout.node import http_answers, listening
from openstack_rollout.node.sockets import Place

UNIT = "api.service"


@pytest.fixture(autouse=True)
def places(monkeypatch):
    """Where the unit listens. Who is late is not waited for."""
    found = set()
    monkeypatch.setattr(listening, "of", lambda units: set(found) if list(units) == [UNIT] else set())
    monkeypatch.setattr(http_answers, "_WITHIN", 0.3)
    return found


class Api(http.server.BaseHTTPRequestHandler):
    """Answers with the status that its server has, and notes what it was asked for."""

    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def serve(places):
    """Start servers with a status; the port of each."""
    servers = []

    def start(status, context=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
        server.status, server.asked = status, []
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        places.add(Place("127.0.0.1", server.server_port))
        return server

    yield start
    for one in servers:
        one.shutdown()
        one.server_close()


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    """Of a server with a certificate that nobody signed."""
    place = tmp_path_factory.mktemp("tls")
    key, certificate = place / "key", place / "certificate"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=api", "-days", "1"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(certificate, key)
    return found


@pytest.fixture
def silent(places):
    """A port that takes connections, and nobody answers there: its application is not loaded."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        places.add(Place(*server.getsockname()))
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("status", "works"), [(200, True), (300, True), (404, True), (500, False), (503, False)]
)
def test_an_api_answers_with_any_status_below_500(serve, status, works):
    server = serve(status)
    port = server.server_port
    assert http_answers.ports([UNIT], "/v3") == ([port] if works else [])
    assert "/v3" in server.asked
    missing = [] if works else [f"no HTTP answer at 127.0.0.1:{port}/v3"]
    assert http_answers.lacking([UNIT], "/v3") == missing
    assert http_answers.lacking([UNIT], "/v3", [port]) == missing


@pytest.mark.parametrize(("status", "works"), [(401, True), (503, False)])
def test_so_does_one_with_tls_whoever_signed_its_certificate(serve, context, status, works):
    port = serve(status, context).server_port
    assert http_answers.ports([UNIT], "/") == ([port] if works else [])


def test_one_that_refuses_who_speaks_no_tls_is_asked_with_it(monkeypatch, places):
    """Apache answers 400 then, whatever its application does."""
    places.add(Place("127.0.0.1", 5000))
    answers = {"HTTPConnection": 400, "HTTPSConnection": 503}
    monkeypatch.setattr(http_answers, "_status", lambda one, path: answers[type(one).__name__])
    assert http_answers.ports([UNIT], "/") == []
    answers["HTTPSConnection"] = None
    assert http_answers.ports([UNIT], "/") == [5000]


def test_a_port_that_is_bound_before_the_application_is_loaded_is_no_answer(silent):
    assert http_answers.ports([UNIT], "/") == []
    assert http_answers.lacking([UNIT], "/") == [f"no HTTP answer at 127.0.0.1:{silent}/"]
    assert listening.lacking([UNIT], [silent]) == []  # though it takes connections


def test_which_ports_have_to_answer(serve, silent):
    port = serve(200).server_port
    assert http_answers.lacking([UNIT], "/") == []  # one of them does
    assert http_answers.lacking([UNIT], "/", [port]) == []  # the other never spoke HTTP
    assert http_answers.lacking([UNIT], "/", [port, silent]) == [f"no HTTP answer at 127.0.0.1:{silent}/"]
    assert http_answers.lacking([UNIT], "/", []) == []


def test_who_listens_nowhere_and_an_address_that_has_left_say_nothing(places):
    assert http_answers.lacking([UNIT], "/") == []
    places.add(Place("192.0.2.1", 80))
    assert http_answers.lacking([UNIT], "/", [80]) == []
