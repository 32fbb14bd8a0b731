"""What the pillar adds to a service's quadlet: known keys of known sections, and values of one line each.

podman's generator drops a unit without a word for one key that it does not know, and systemd takes whatever
follows a newline for the next line of the unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openstack_rollout.declared import quadlet_words
from openstack_rollout.declared.problems import (
    Path,
    kind,
    not_a,
    not_a_key,
    not_a_string,
    raise_all,
    shown,
    suggestion,
)
from openstack_rollout.declared.quadlet_keys import (
    ARGUMENTS,
    CHOICES,
    KEYS,
    NO_NUMBERS,
    OWNED,
    PAIRS,
    PODMANS,
    WORDS,
)

#: As _modules/quadlet.py has it: the label that tells a container of ours.
FINGERPRINT = "openstack-rollout.fingerprint"
_LONGEST = 16_384
_MOST = 1000  # values of one key
_BITS = 63


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
        if key in CHOICES.get(section, {}):
            return [((), not_a(f"one of {', '.join(CHOICES[section][key])}", value))]
        if len(value) > _MOST:
            return [((), f"has {len(value)} values, {_MOST} are allowed")]
        lines: list[tuple[Path, str]] = [
            ((number,), text) for number, one in enumerate(value) if (text := _value(section, key, one))
        ]
    else:
        text = _value(section, key, value)
        lines = [((), text)] if text else []
    if not lines and key in ARGUMENTS:
        # One item may be an option, and the next its value.
        items = value if isinstance(value, list) else [value]
        words = [word for one in items for word in quadlet_words.words(str(one)) or ()]
        lines = [((), text)] if (text := quadlet_words.options(words)) else []
    return lines


def _value(section: str, key: str, value: Any) -> str:
    """What is wrong with one value, "" for nothing."""
    if isinstance(value, str):
        return _string(key, value) or _choice(section, key, value)
    if isinstance(value, int):
        return _number(section, key, value)
    if isinstance(value, Mapping):
        return _written_out(value)
    return not_a("a string, a whole number, true or false, or a list of them", value)


def _number(section: str, key: str, value: int) -> str:
    """What is wrong with a whole number, or with true or false."""
    text = ""
    if allowed := CHOICES.get(section, {}).get(key):
        no = value is False and "no" in allowed
        text = not_a_string(value) if no else not_a(f"one of {', '.join(allowed)}", value)
    elif key in PAIRS:
        text = f"{shown(value)} has to be a name and its value: NAME=VALUE"
    elif key in NO_NUMBERS:
        more = "" if isinstance(value, bool) else " (YAML makes other numbers of 0750 and 42:42)"
        text = f"{not_a_string(value)}{more}"
    elif value.bit_length() > _BITS:
        text = f"{shown(value)} is no number that systemd takes"
    return text


def _string(key: str, value: str) -> str:
    text = ""
    if any(one in value for one in "\n\r"):
        text = "has a newline in it, which would begin another line: give one line, without one at its end"
    elif not value.isprintable():
        found = next(one for one in value if not one.isprintable())
        text = f"has {shown(found)} in it, which is not printed: write what is seen"
    elif value.endswith(" "):
        text = "ends in a blank, which systemd takes away: leave it out"
    elif value.endswith("\\"):
        text = "ends in a backslash, which would swallow the next line"
    elif len(value) > _LONGEST:
        text = f"is too long: {len(value)} characters, {_LONGEST} are allowed"
    elif key in WORDS:
        words = quadlet_words.words(value)
        wrong = quadlet_words.pairs(key, words) if words and key in PAIRS else ""
        text = "has a quote that is not closed" if words is None else wrong.removeprefix(f"{shown(value)} ")
        if wrong and text == wrong:
            return f"{shown(value)}: {wrong}"
    return text and f"{shown(value)} {text}"


def _choice(section: str, key: str, value: str) -> str:
    allowed = CHOICES.get(section, {}).get(key)
    if allowed and value not in allowed:
        near = suggestion(value, allowed)
        why = ", with others podman makes no unit" if key in PODMANS else near
        return f"{shown(value)} is not one of {', '.join(allowed)}{why}"
    return ""


def _unknown(what: str, key: Any, known: Any) -> str:
    return f"unknown {what}{suggestion(key, sorted(known))}" if isinstance(key, str) else not_a_key(key)


def _written_out(value: Mapping[Any, Any]) -> str:
    example = next(iter(value.items()), ("KEY", "VALUE"))
    short = "=".join(str(one) if isinstance(one, str) else shown(one) for one in example)
    return f"has to be a string or a list of strings, not {kind(value)}: write {shown(short)}"
