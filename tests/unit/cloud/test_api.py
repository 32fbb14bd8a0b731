"""A request that the SDK lacks: retried while an API is down, and not when the API refuses."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import requests

from openstack_rollout.cloud import api as module
from openstack_rollout.cloud import nova
from openstack_rollout.cloud.api import Cloud
from openstack_rollout.errors import RolloutError
from tests.unit.clocks import no_sleep


def answer(status: int, body: bytes = b"{}") -> requests.Response:
    made = requests.Response()
    made.status_code, made._content, made.url = status, body, "http://placement/"
    made.headers["content-type"] = "application/json"
    return made


@pytest.fixture
def answers(monkeypatch):
    """What Placement answers, one after the other; the last one for ever."""
    made: list[requests.Response] = []

    def get(url, microversion):
        return made.pop(0) if made[1:] else made[0]

    monkeypatch.setattr(Cloud, "api", SimpleNamespace(placement=SimpleNamespace(get=get)))
    monkeypatch.setattr(module, "time", no_sleep())
    return made


def test_an_api_that_is_down_is_asked_again(answers):
    answers += [answer(503), answer(500), answer(200, b'{"traits": ["COMPUTE_STATUS_DISABLED"]}')]
    assert nova.disabled_in_placement(Cloud("openstack"), "of-cmp1") is True


@pytest.mark.parametrize(("status", "body"), [(200, b'{"traits": ["COMPUTE_NODE"]}'), (404, b"{}")])
def test_a_provider_without_the_trait_or_none_at_all_is_not_disabled(answers, status, body):
    answers += [answer(status, body)]
    assert nova.disabled_in_placement(Cloud("openstack"), "of-cmp1") is False


def test_an_api_that_stays_down_is_named(answers):
    answers += [answer(503)]
    with pytest.raises(RolloutError) as error:
        Cloud("lab", retry_timeout=0.0).get_json("placement", "/resource_providers", "1.6")
    assert error.value.reason == "API_UNREACHABLE"
    assert "lab" in error.value.message and "/resource_providers" in error.value.message


def test_a_wrong_password_is_told_by_the_pillar_key(answers):
    answers += [answer(401)]
    with pytest.raises(RolloutError, match=r"^INVALID_PILLAR: openstack:cloud: lab: .*clouds\.yaml"):
        nova.disabled_in_placement(Cloud("lab"), "of-cmp1")


@pytest.mark.parametrize(
    "entry",
    ["[]", "clouds: {lab: {auth: {auth_url: http://127.0.0.1:1, username: x}, auth_type: v3password}}"],
)
def test_a_wrong_clouds_yaml_is_told_by_the_pillar_key(entry, tmp_path, monkeypatch):
    (tmp_path / "clouds.yaml").write_text(entry)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    with pytest.raises(RolloutError, match=r"^INVALID_PILLAR: openstack:cloud: lab: .*clouds\.yaml"):
        Cloud("lab", retry_timeout=0.0).require_reachable()


def test_a_refusal_is_not_retried(answers):
    answers += [answer(400), answer(200)]
    with pytest.raises(Exception, match="400"):
        nova.disabled_in_placement(Cloud("openstack"), "of-cmp1")


def test_a_user_who_may_not_ask_is_told_by_the_pillar_key(answers):
    answers += [answer(403)]
    with pytest.raises(RolloutError, match=r"^INVALID_PILLAR: openstack:cloud: .*of-cmp1.*clouds\.yaml"):
        nova.disabled_in_placement(Cloud("lab"), "of-cmp1")
