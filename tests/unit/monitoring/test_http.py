"""What is sent to a server, and what of its answers is none."""

from __future__ import annotations

import base64
import socket
from dataclasses import replace

import pytest

from openstack_rollout.monitoring import http
from openstack_rollout.monitoring.contract import Access, NoAnswer

SECRET = "s3cret-of-nobody"


def refused(access, path="/x"):
    with pytest.raises(NoAnswer) as error:
        http.ask(access, "GET", path)
    assert SECRET not in str(error.value) and "\n" not in str(error.value)
    return error.value


def test_a_login_and_a_token_are_sent_and_nothing_that_netrc_has(server, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.says("/x", {"fine": True})
    assert http.ask(server.access, "GET", "/x").data == {"fine": True}
    http.ask(replace(server.access, token=SECRET), "GET", "/x")
    http.ask(replace(server.access, login=("ruedi", f"{SECRET}ü")), "GET", "/x")
    sent = [headers.get("Authorization") for _, _, _, headers, _ in server.asked]
    basic = base64.b64encode(f"ruedi:{SECRET}ü".encode()).decode()
    assert sent == [None, f"Bearer {SECRET}", f"Basic {basic}"]
    assert SECRET not in repr(replace(server.access, token=SECRET, login=("a", SECRET)))


@pytest.mark.parametrize(
    ("status", "data", "passes", "says"),
    [
        (400, {"status": "error", "error": "parse error at char 3"}, False, "parse error at char 3"),
        (401, "Unauthorized", False, "401"),
        (403, "<html>", False, "403"),
        (404, "", False, "404"),
        (302, "", False, "302"),
        (422, {"error": "query timed out"}, True, "timed out"),
        (429, "", True, "429"),
        (500, "", True, "500"),
        (503, {"message": "starting"}, True, "starting"),
        (200, "<html>login</html>", True, "not JSON"),
        (200, "[" * 100_000, True, "not JSON"),
    ],
)
def test_what_is_no_answer(server, status, data, passes, says):
    server.says("/x", data, status)
    server.redirect = "http://127.0.0.1:1/elsewhere" if status == 302 else ""
    error = refused(replace(server.access, token=SECRET))
    assert error.passes is passes and says in error.message and server.access.address in error.message
    assert len(server.asked) == 1  # a redirection is not followed: the token would go with it


def test_who_is_not_there_who_never_answers_and_who_never_ends(server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert refused(Access("Prometheus", address, connect=1, read=1)).passes
        taken.listen(1)
        assert refused(Access("Prometheus", address, connect=1, read=1)).passes
    server.says("/x", {})
    server.drips = True
    monkey = replace(server.access, connect=1, read=1)
    assert refused(monkey).passes


def test_a_token_that_no_header_may_have_is_not_shown(server):
    assert not refused(replace(server.access, token=f"{SECRET}\nX: y")).passes
    assert server.asked == []
