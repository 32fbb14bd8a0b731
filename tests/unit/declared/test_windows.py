"""Windows as operators write them, and as YAML reads them before anybody else does."""

from __future__ import annotations

from datetime import date

import pytest
import yaml
from pydantic import ValidationError

from openstack_rollout.declared import translation
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.problems import path


def window(text):
    return Model.model_validate({"window": yaml.safe_load(text)}).window


def refused(text, key="window"):
    with pytest.raises(ValidationError) as error:
        Model.model_validate({key: yaml.safe_load(text)} if isinstance(text, str) else {key: text})
    return [(path(place), line) for place, line in translation.problems(error.value, Model)]


@pytest.mark.parametrize(
    ("text", "days", "opens", "closes"),
    [
        ("{}", range(7), 0, 1440),
        ('{days: [sat, sun], from: "22:00", to: "05:00"}', (5, 6), 1320, 300),
        ("{days: mon, from: 22:00, to: 05:00}", (0,), 1320, 300),  # 22:00 is the number 1320 in YAML 1.1
        ("{days: [Friday-Monday, wednesday], from: 1:30, to: '24:00'}", (0, 2, 4, 5, 6), 90, 1440),
        ("{days: null, from: null, to: '00:00'}", None, 0, 0),
    ],
)
def test_days_and_times(text, days, opens, closes):
    if days is None:
        assert refused(text)  # opens and closes at midnight
        return
    found = window(text)
    assert (found.days, found.from_, found.to) == (tuple(days), opens, closes)


def test_blackout_dates_as_dates_as_text_and_as_ranges():
    day = date(2026, 12, 24)
    for text in ("2026-12-24", "[2026-12-24]", '["2026-12-24"]', '"2026-12-24/2026-12-24"'):
        assert window(f"{{blackout: {text}}}").blackout == ((day, day),)
    assert window("{blackout: [2026-12-20/2027-01-06]}").blackout == ((date(2026, 12, 20), date(2027, 1, 6)),)


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ("{from: 22}", "window:from", "in quotes"),
        ("{from: '22'}", "window:from", "in quotes"),
        ("{from: '25:00'}", "window:from", "in quotes"),
        ("{to: true}", "window:to", "in quotes"),
        ("{to: '5:60'}", "window:to", "in quotes"),
        ("{from: '24:00', to: '05:00'}", "window:from", "00:00"),
        ("{from: '05:00', to: '05:00'}", "window:to", "leave both out"),
        ("{days: []}", "window:days", "mon-fri"),
        ("{days: [sonday]}", "window:days", "sunday"),
        ("{days: [mon-fir]}", "window:days", "mon-fri"),
        ("{days: [1]}", "window:days", "mon-fri"),
        ("{days: {mon: true}}", "window:days", "mon-fri"),
        ("{timezone: Europe/Berln}", "window:timezone", "did you mean Europe/Berlin"),
        ("{timezone: ../../etc/passwd}", "window:timezone", "no timezone"),
        ("{timezone: ''}", "window:timezone", "no timezone"),
        ("{timezone: 2}", "window:timezone", "no timezone"),
        ("{blackout: ['2026-02-30']}", "window:blackout", "2026-12-24"),
        ("{blackout: ['24.12.2026']}", "window:blackout", "2026-12-24"),
        ("{blackout: [2027-01-06/2026-12-20]}", "window:blackout", "ends before it begins"),
        ("{blackout: [2026-12-24 10:00:00]}", "window:blackout", "2026-12-24"),
        ("{calendar: maintenance.ics}", "window:calendar", "path"),
        ("{calendar: file:///etc/passwd}", "window:calendar", "path"),
        ("{calendar: /srv/x.ics, days: mon}", "window:calendar", "leave out days"),
        ("{prefetch: always}", "window:prefetch", "any_time"),
        ("{form: '22:00'}", "window:form", "did you mean from?"),
        ("{from_: '22:00'}", "window:from_", "did you mean from?"),
        ("[sat]", "window", "mapping"),
        ("sat", "window", "mapping"),
    ],
)
def test_what_is_no_window_is_refused_by_its_key_and_a_remedy(text, key, says):
    lines = refused(text)
    assert [place for place, _ in lines] == [key]
    assert says in lines[0][1] and "\n" not in lines[0][1]


def test_a_window_of_a_role_is_refused_by_its_key_too():
    lines = refused({"compute": {"window": {"days": ["x"]}}}, "policies")
    assert [place for place, _ in lines] == ["policies:compute:window:days"]
    assert Model.model_validate(
        {"policies": {"compute": {"window": {"days": ["sat"]}}}}
    ).policies.compute.window
