"""The lines and the exit status of a refusal."""

import salt.exceptions

from openstack_rollout.errors import REASONS, RolloutError
from openstack_rollout.on_salt.refusal import REFUSED, WRONG_USE, refusal_of, refusal_of_all


def test_a_message_that_ends_as_a_sentence_gets_no_second_stop():
    asked = refusal_of(RolloutError("INVALID_PILLAR", "openstack:polices: did you mean policies?"))
    assert (
        str(asked) == f"INVALID_PILLAR: openstack:polices: did you mean policies? {REASONS['INVALID_PILLAR']}"
    )
    assert asked.status == REFUSED


def test_each_remedy_is_given_once_at_the_last_line_of_its_reason():
    refused = refusal_of_all([("INVALID_PILLAR", "a"), ("IMAGE_MISSING", "b"), ("INVALID_PILLAR", "c")])
    assert str(refused).splitlines() == [
        "INVALID_PILLAR: a",
        f"IMAGE_MISSING: b. {REASONS['IMAGE_MISSING']}",
        f"INVALID_PILLAR: c. {REASONS['INVALID_PILLAR']}",
    ]


def test_a_wrong_argument_is_wrong_use():
    assert refusal_of(RolloutError("WRONG_ARGUMENT", "x")).status == WRONG_USE


def test_salt_prints_a_refusal_without_a_traceback():
    assert isinstance(refusal_of(RolloutError("NO_RUN", "x")), salt.exceptions.NotImplemented)
