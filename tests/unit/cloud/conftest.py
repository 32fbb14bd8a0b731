"""A cloud of which openstacksdk asks a server on this machine."""

from __future__ import annotations

import json

import pytest

from openstack_rollout.cloud.api import Cloud
from tests.unit.cloud_api import Api


@pytest.fixture
def answering_api(tmp_path, monkeypatch):
    made = Api()
    entry = {
        "auth": {"auth_url": f"{made.url}/v3", "username": "admin", "password": "x", "project_name": "admin",
                 "user_domain_id": "default", "project_domain_id": "default"},
        "region_name": "R", "identity_api_version": "3",
    }  # fmt: skip
    file = tmp_path / "clouds.json"
    file.write_text(json.dumps({"clouds": {"test": entry}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def answering_cloud(answering_api):
    return Cloud("test", retry_timeout=0)
