"""What the pillar adds to a service's quadlet: known keys of known sections, and values of one line each.

podman's generator drops a unit without a word for one key that it does not know, and systemd takes whatever
follows a newline for the next line of the unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openstack_rollout.declared.problems import Path, kind, not_a, not_a_key, raise_all, shown, suggestion
from openstack_rollout.declared.quadlet_keys import CHOICES, KEYS, OWNED

#: As _modules/quadlet.py has it: the label that tells a container of ours.
FINGERPRINT = "openstack-rollout.fingerprint"
_LONGEST = 16_384
_MOST = 1000  # values of one key
_BITS = 63
_PAIRS = ("Environment", "Sysctl")


def check(quadlet: Any) -> dict[str, dict[str, Any]]:
    """The sections, without keys that are null. Raises Wrong with every problem."""
    if not isinstance(quadlet, Mapping):
        raise_all([((), not_a("a mapping", quadlet))])
    lines: list[tuple[Path, str]] = []
    good: dict[str, dict[str, Any]] = {}
    for section, values in quadlet.items():
        if section not in KEYS:
            lines.append(((section,), _unknown("section", section, KEYS)))
        elif values is not None and not isinstance(values, Mapping):
            lines.append(((section,), not_a("a mapping", values)))
        else:
            good[section] = {key: value for key, value in (values or {}).items() if value is not None}
            for key, value in good[section].items():
                lines += [((section, key, *more), text) for more, text in _entry(section, key, value)]
    raise_all(lines)
    return good


def _entry(section: str, key: Any, value: Any) -> list[tuple[Path, str]]:
    if key not in KEYS[section]:
        return [((), _unknown(f"key of [{section}]", key, KEYS[section]))]
    if key in OWNED[section]:
        return [((), f"is not yours to set: {OWNED[section][key]}")]
    if isinstance(value, Mapping):
        return [((), _written_out(value))]
    if isinstance(value, list):
        if len(value) > _MOST:
            return [((), f"has {len(value)} values, {_MOST} are allowed")]
        return [((number,), text) for number, one in enumerate(value) if (text := _value(section, key, one))]
    text = _value(section, key, value)
    return [((), text)] if text else []


def _value(section: str, key: str, value: Any) -> str:
    """What is wrong with one value, "" for nothing."""
    if isinstance(value, str):
        return _string(key, value) or _choice(section, key, value)
    if isinstance(value, bool):
        return _choice(section, key, str(value).lower())
    if isinstance(value, int):
        return "" if value.bit_length() <= _BITS else f"{shown(value)} is no number that systemd takes"
    if isinstance(value, Mapping):
        return _written_out(value)
    return not_a("a string, a whole number, true or false, or a list of them", value)


def _string(key: str, value: str) -> str:
    text = ""
    if not value.isprintable():
        text = "has a character in it that is not printed: a newline would begin another line"
    elif value.endswith("\\"):
        text = "ends in a backslash, which would swallow the next line"
    elif len(value) > _LONGEST:
        text = f"is too long: {len(value)} characters, {_LONGEST} are allowed"
    elif key in _PAIRS and value and "=" not in value:
        text = "has to be a name and its value: NAME=VALUE"
    elif key == "Label" and FINGERPRINT in value:
        text = f"is a label that is not yours to set: {FINGERPRINT}"
    return text and f"{shown(value)} {text}"


def _choice(section: str, key: str, value: str) -> str:
    allowed = CHOICES.get(section, {}).get(key)
    if allowed and value not in allowed:
        return f"{shown(value)} is not one of {', '.join(allowed)}, with others podman makes no unit"
    return ""


def _unknown(what: str, key: Any, known: Any) -> str:
    return f"unknown {what}{suggestion(key, sorted(known))}" if isinstance(key, str) else not_a_key(key)


def _written_out(value: Mapping[Any, Any]) -> str:
    example = next(iter(value.items()), ("KEY", "VALUE"))
    short = "=".join(str(one) if isinstance(one, str) else shown(one) for one in example)
    return f"has to be a string or a list of strings, not {kind(value)}: write {shown(short)}"
