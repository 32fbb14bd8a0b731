"""Who may use whom: the rooms of docs/explanation/architecture.md, held by what each file imports."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE = CHECKOUT / "_utils" / "openstack_rollout"
OURS = "openstack_rollout"
#: What every room may use.
COMMON = {"errors", "vocabulary"}
#: Of node/, what a node and the master judge alike: pure tables and comparisons.
JUDGED_ALIKE = {"node.carriers", "node.guards", "node.kernels", "node.ovn_wait", "node.packages"}
#: Of records/, what nodes keep too: plain files, without the libraries that a node does not have.
ON_NODES = {"records.processes", "records.state_file", "records.turn"}
#: Room → the rooms and files that it may use beside its own. Each names only what stands above it.
MAY_USE: dict[str, set[str]] = {
    "__init__": set(),
    "errors": set(),
    "vocabulary": set(),
    "records": COMMON,
    "node": COMMON | ON_NODES,
    "declared": COMMON | JUDGED_ALIKE,
    "cloud": {"errors"},
    "monitoring": {"errors"},
    "drains": COMMON | {"records", "declared", "cloud"},
    "rollout": COMMON | {"records", "declared", "drains.contract", "drains.kinds", "monitoring.contract"},
    "screens": COMMON,
    "on_salt": COMMON
    | {"records", "declared", "cloud", "monitoring", "drains", "rollout"}
    | {"node.share", "node.images", "node.registries", "node.prober", "node.moving", "screens.masking"},
    "_modules": {"errors", "node"} | ON_NODES,
    "_states": {"errors", "node"} | ON_NODES,
    "_output": {"screens"},
    "_netapi": {"screens"},
    "_pillar": {"on_salt"},
    "_runners": COMMON | {"records", "declared", "drains", "rollout", "on_salt", "screens"},
}
#: A foreign library → the rooms that may import it. There is no other.
FOREIGN = {
    "salt": {"_modules", "_states", "_pillar", "_runners", "_output", "_netapi", "node", "on_salt"},
    "cherrypy": {"_netapi"},
    "tornado": {"_netapi"},
    "pydantic": {"declared", "records"},
    "redis": {"records", "on_salt"},
    "openstack": {"cloud"},
    "keystoneauth1": {"cloud"},
    "requests": {"monitoring"},
    "urllib3": {"monitoring"},
    "yaml": {"declared", "_runners"},
    "jinja2": {"declared", "screens"},
    "packaging": {"declared"},
    "pydantic_core": {"declared"},
    "rich": {"screens"},
    "prometheus_client": {"screens"},
    "apprise": {"on_salt"},
    "cryptography": {"declared", "on_salt"},
    "icalendar": {"on_salt"},
    "recurring_ical_events": {"on_salt"},
    "docker": {"node"},
    "dnf": {"node"},
    "ask_dnf": {"node"},  # by a program that stands beside it, on dnf's own Python
    "hawkey": {"node"},
    "libdnf": {"node"},
}


def files():
    """Every file of the product, and its room."""
    for path in sorted(PACKAGE.parent.rglob("*.py")):
        inside = path.relative_to(PACKAGE)  # nothing stands beside the package
        yield path, inside.parts[0].removesuffix(".py")
    for room in ("_modules", "_states", "_output", "_netapi", "_pillar", "_runners"):
        for path in sorted((CHECKOUT / room).rglob("*.py")):
            yield path, room


def imported(path, types=True):
    """What a file imports, as dotted names: also where it does so in a function; for types alone if asked."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not types:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = [ast.Pass()]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import hides its room"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name, allowed):
    return any(name == one or name.startswith(f"{one}.") for one in allowed)


NAMED = {str(path.relative_to(CHECKOUT)): (path, room) for path, room in files()}


@pytest.mark.parametrize(("path", "room"), NAMED.values(), ids=NAMED)
def test_a_file_uses_only_what_its_room_may(path, room):
    allowed = MAY_USE[room] | {room}
    ours = {name.removeprefix(f"{OURS}.") for name in imported(path) if within(name, {OURS})}
    assert sorted(name for name in ours if not within(name, allowed)) == []


@pytest.mark.parametrize(("path", "room"), NAMED.values(), ids=NAMED)
def test_a_foreign_library_is_imported_by_its_rooms_alone(path, room):
    libraries = {name.partition(".")[0] for name in imported(path)} - sys.stdlib_module_names - {OURS}
    assert sorted(one for one in libraries if room not in FOREIGN.get(one, ())) == []


#: The one file that imports by a name it is given: the kind of a drain.
BY_NAME = PACKAGE / "drains" / "kinds.py"


@pytest.mark.parametrize(("path", "room"), NAMED.values(), ids=NAMED)
def test_nothing_is_imported_in_disguise(path, room):
    """Neither by a name that is a value, nor through a file that only passes it on."""
    names = {
        node.id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name)
    }
    assert "__import__" not in names
    assert path == BY_NAME or not any(within(name, {"importlib"}) for name in imported(path))
    passed_on = []
    for name in imported(path):
        module, _, what = name.removeprefix(f"{OURS}.").rpartition(".")
        file = PACKAGE.joinpath(*module.split(".")).with_suffix(".py")
        if within(name, {OURS}) and module and file.exists():
            passed_on += [name] if what in passes_on(file) else []
    assert passed_on == []


def passes_on(path):
    """The names that a file has of another one."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def test_every_room_is_above_those_that_use_it():
    """The rules themselves make no circle, so no value climbs back."""
    order = list(MAY_USE)
    for room, uses in MAY_USE.items():
        for used in {name.partition(".")[0] for name in uses} - {room}:
            assert order.index(used) < order.index(room), (room, used)


def test_no_two_files_need_each_other():
    modules = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path, _ in files()
               if path.is_relative_to(PACKAGE)}  # fmt: skip
    needs = {
        name: {
            target
            for one in imported(path, types=False)
            for target in [one.removeprefix(f"{OURS}."), one.removeprefix(f"{OURS}.").rpartition(".")[0]]
            if target in modules and target != name
        }
        for name, path in modules.items()
    }
    done: set[str] = set()
    while ready := {name for name in needs if name not in done and needs[name] <= done}:
        done |= ready
    assert sorted(set(needs) - done) == []


def test_rollout_names_no_kind_of_drain():
    kinds = {path.stem for path in (PACKAGE / "drains").glob("*.py")} - {"__init__", "contract", "kinds"}
    for path in (PACKAGE / "rollout").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        words = {node.value for node in ast.walk(ast.parse(text))
                 if isinstance(node, ast.Constant) and isinstance(node.value, str)}  # fmt: skip
        assert not words & kinds, (path.name, words & kinds)


UNIT = CHECKOUT / "tests" / "unit"
#: A folder of tests/unit → the folder that it mirrors; those of the package have its rooms' names.
MIRRORED = {
    "modules": CHECKOUT / "_modules",
    "states": CHECKOUT / "_states",
    "netapi": CHECKOUT / "_netapi",
    "lab": CHECKOUT / "tests" / "lab",
    "bench": CHECKOUT / "tests" / "bench",
}


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(UNIT.rglob("test_*.py")) if path.parent != UNIT],
    ids=lambda path: str(path.relative_to(UNIT)),
)
def test_a_test_bears_the_name_of_what_it_tests(path):
    """test_NAME.py or test_NAME_SUBJECT.py, in the folder that mirrors the one of NAME.py."""
    inside = path.parent.relative_to(UNIT)
    first, *deeper = inside.parts
    place = MIRRORED.get(first, PACKAGE / first).joinpath(*deeper)
    names = {one.stem for one in place.glob("*.py")}
    subject = path.stem.removeprefix("test_")
    assert any(subject == name or subject.startswith(f"{name}_") for name in names), (
        f"of which file of {place}?"
    )
