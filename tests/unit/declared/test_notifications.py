"""Who is told of what becomes of a run, as operators write it."""

from __future__ import annotations

import pytest

from openstack_rollout.declared.model import Model
from tests.unit.declared.test_gates import SECRET, refused


def test_who_is_told_and_of_what():
    found = Model.model_validate({"notifications": {"to": ["sdb://vault/mail"]}}).notifications
    assert found.about == ["pause", "failure", "confirmation", "end"] and found.link is None


@pytest.mark.parametrize(
    ("declared", "key", "says"),
    [
        ({"to": [f"mailtos://me:{SECRET}@mail.example"]}, ":to:0", "sdb://"),
        ({"to": [{"url": SECRET}]}, ":to:0", "sdb://"),
        ({"to": "sdb://vault/mail"}, ":to", "a list"),
        ({"about": ["pauses"]}, ":about:0", "did you mean pause"),
        ({"link": "page.example"}, ":link", "address of a page"),
        ({"urls": []}, ":urls", "unknown"),
    ],
)
def test_what_cannot_be_meant(declared, key, says):
    ((where, line),) = refused(lambda: Model.model_validate({"notifications": declared}))
    assert where == f"notifications{key}" and says in line
