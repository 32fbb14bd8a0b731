"""openstack:preflight: what is wrong there is refused by its key, with the nearest right one."""

from __future__ import annotations

import pytest

from openstack_rollout.declared import reading
from tests.unit.cloud_pillar import model, valid


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"refuse": ["failed_unit"]}, "refuse:0: 'failed_unit' is not one of custom_images,"),
        ({"refuse": ["failed_unit"]}, "did you mean failed_units?"),
        ({"refuse": ["clusters"]}, "refuse:0: 'clusters' is not one of"),
        ({"refuse": "clocks"}, "refuse: has to be a list, not a string"),
        ({"clock_ofset": 3}, "clock_ofset: unknown key, did you mean clock_offset?"),
        ({"clock_offset": 0}, "clock_offset: 0 is not allowed"),
        ({"clock_offset": "30s"}, "clock_offset: has to be a whole number"),
        ({"certificate_days": True}, "certificate_days: has to be a whole number"),
        ({"certificates": ["srv/x.pem"]}, "certificates:0: 'srv/x.pem': has to be an absolute path"),
        ({"room_left": -1}, "room_left: -1 is not allowed"),
    ],
)
def test_what_is_wrong_is_refused_by_its_key(said, line):
    ((reason, text),) = reading.reasons(valid() | {"preflight": said})[0]
    assert reason == "INVALID_PILLAR" and text.startswith("openstack:preflight:") and line in text


@pytest.mark.parametrize("said", [None, {}, {"refuse": None}])
def test_nothing_said_is_the_default(said):
    found = model({**valid(), "preflight": said}).preflight
    assert (found.refuse, found.clock_offset, found.certificate_days, found.room_left) == ([], 30, 30, 1024)
