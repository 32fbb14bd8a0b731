"""Names and other words of the pillar that reach a unit file, a path, a command line or the id of a state.

Each type is a pattern of printable ASCII that begins with a letter or a digit: no blank, no control or
zero-width character, no option in disguise.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from openstack_rollout.declared import reserved_paths, reserved_units, targets
from openstack_rollout.declared.problems import Wrong, not_a, shown, suggestion
from openstack_rollout.node.packages import FLOOR, NEWEST

#: The longest name of what is a container, a unit or a part of a state's id.
LONGEST = 64
#: Ours, for what is put aside.
PUT_ASIDE = "-legacy"

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_WORDS = "has letters, digits, _, . and - only, and begins with a letter or a digit"
_ELEMENT = r"[A-Za-z0-9_.+@%=:,~-]+"


_PLAIN_PROGRAM = re.compile(r"[A-Za-z0-9._+-]+")
_PROGRAM_PATH = re.compile(rf"(?:/{_ELEMENT})+")
#: Arguments of a command, its program included.
_ARGUMENTS = 100


@dataclass(frozen=True)
class Text:
    """A string of a pattern. what: how the line goes on after the value."""

    pattern: str
    what: str
    longest: int = LONGEST
    more: Callable[[str], str] | None = None
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", re.compile(self.pattern))

    def problem(self, value: str) -> str:
        """What is wrong with a string, "" for nothing."""
        if not value:
            return not_a("a string", value)
        if len(value) > self.longest:
            return f"{shown(value)} is too long: {len(value)} characters, {self.longest} are allowed"
        if not self._compiled.fullmatch(value):
            return f"{shown(value)}: {self.what}"
        return self.more(value) if self.more else ""

    def check(self, value: str) -> str:
        """The value. Raises Wrong."""
        if text := self.problem(value):
            raise Wrong(text)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema) | {"pattern": f"^{self.pattern}$", "maxLength": self.longest}


@dataclass(frozen=True)
class WholeNumber:
    """A whole number between two bounds."""

    least: int
    most: int

    def check(self, value: Any) -> int:
        """The value. Raises Wrong."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise Wrong(not_a(f"a whole number from {self.least} to {self.most}", value))
        if not self.least <= value <= self.most:
            raise Wrong(f"{shown(value)} is not allowed: give a number from {self.least} to {self.most}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)
class Defined:
    """A name that something else of the pillar has to define; `reading` puts the known ones in the context.

    group: its key in the context. what: what the name is of.
    """

    group: str
    what: str

    def check(self, value: str, info: ValidationInfo) -> str:
        """The value. Raises Wrong."""
        known = (info.context or {}).get(self.group)
        if known is not None and value not in known:
            raise Wrong(f"{shown(value)} is no known {self.what}{suggestion(value, known)}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self.check, handler(source))


def _container(name: str) -> str:
    if name.lower().endswith(PUT_ASIDE):
        return (
            f"{shown(name)}: names that end in {PUT_ASIDE} are those of containers that an update put aside"
        )
    if name.endswith(reserved_units.UNIT_SUFFIXES):
        return f"{shown(name)}: a container's name goes without the unit's suffix"
    if reserved_units.is_of_the_switch(name):
        return f"{shown(name)} is Open vSwitch's: a new image would interrupt the data path, it is left alone"
    return ""


def _unit(name: str) -> str:
    if name.endswith(reserved_units.UNIT_SUFFIXES):
        return f"{shown(name)}: a unit's name goes without .service"
    return reserved(name)


def reserved(name: str) -> str:
    """What is wrong with the name of a container whose unit would be ours, or of a unit; "" for nothing."""
    if reserved_units.is_reserved(name):
        return f"{shown(name)} is the name of a unit of the system, which is not ours to replace"
    return ""


def _release(name: str) -> str:
    if ".." in name:
        return f"{shown(name)} has two dots in a row: a release's name is part of the names of files"
    return f"{shown(name)} is the name of the catalogue's own file: add to it" if name == "init" else ""


def _path(text: str) -> str:
    if posixpath.normpath(text) != text:
        return (
            f"{shown(text)} has to be a normalised path: {shown(posixpath.normpath('/' + text.lstrip('/')))}"
        )
    if any(len(element) > 255 for element in text.split("/")):
        return f"{shown(text)}: a part of it is longer than the 255 characters of a file's name"
    return reserved_paths.problem(text)


def _source(text: str) -> str:
    below = text.removeprefix("salt://").partition("?")[0]
    if posixpath.normpath(below) != below or below.startswith("..") or below == ".":
        return f"{shown(text)} has to be a file below the file server's root, without . and .."
    return ""


def _package_version(text: str) -> str:
    if re.search(r"(?:^|[.-])[xX](?:[.-]|$)", text):
        return f"{shown(text)} looks like a pattern, give one version, {FLOOR}version or {NEWEST}"
    return ""


def _glob(text: str) -> str:
    return targets.classes(text)


def printed(text: str) -> str:
    """Lines of text: a zero-width or a control character is none that an operator saw."""
    return _one_line(text.replace("\n", " ").replace("\t", " "))


def _one_line(text: str) -> str:
    return "" if text.isprintable() else f"{shown(text)} has a character in it that is not printed"


def _unit_argument(text: str) -> str:
    if text.endswith("\\"):
        return f"{shown(text)} ends in a backslash, which would swallow the next line"
    return _one_line(text)


def _program(text: str) -> str:
    if not text.isprintable():
        return _one_line(text)
    if re.search(r"[\s;|&<>$`*?'\"()]", text):
        return (
            f"{shown(text)} has to be a program: no shell reads it, give each argument as an item of the list"
        )
    if text.startswith("-"):
        return f"{shown(text)} begins with a dash, it has to be a program"
    plain = _PLAIN_PROGRAM.fullmatch(text) and text.strip(".")
    if not plain and not (_PROGRAM_PATH.fullmatch(text) and posixpath.normpath(text) == text):
        return (
            f"{shown(text)} has to be a program: the absolute path of its file,"
            " or its name of letters, digits, ., _, + and -"
        )
    return ""


def _address(text: str) -> str:
    try:
        plain = str(ipaddress.ip_address(text))
    except ValueError:
        return f"{shown(text)} is no IP address, such as 10.0.0.250"
    return "" if plain == text else f"{shown(text)} is written {shown(plain)}"


def _target(text: str) -> str:
    return targets.problem(text)


NAME = Text(_NAME, f"a name {_WORDS}")
Word = Annotated[str, NAME]
AGENT = Text(r"(?:nova|neutron|cinder)-[a-z0-9-]+", "an agent is called nova-…, neutron-… or cinder-…")
#: An agent as Nova, Neutron or Cinder call it.
AgentName = Annotated[str, AGENT]
ServiceName = Annotated[str, Text(_NAME, f"a service's name {_WORDS}")]
ContainerName = Annotated[str, Text(_NAME, f"a container's name {_WORDS}", more=_container)]
ContainerGlob = Annotated[
    str, Text(r"[A-Za-z0-9*?\[][A-Za-z0-9_.*?!\[\]-]*", "has to be a container's name or a glob", 128, _glob)
]
ServiceGlob = Annotated[
    str,
    Text(r"[A-Za-z0-9_*?\[][A-Za-z0-9_.@:+*?!\[\]-]*",
         "has to be the name of a program, a unit or a container, or a glob", 128, _glob),
]  # fmt: skip
#: What is asked of a service that speaks HTTP.
HTTP_PATH = Text(r"/[A-Za-z0-9_.~/%?=&+-]*", "has to be a path of a URL, such as /healthcheck", 128)
UnitName = Annotated[
    str,
    Text(r"[A-Za-z0-9][A-Za-z0-9_.@-]*", "a unit's name has letters, digits, _, ., @ and - only", more=_unit),
]
RoleName = Annotated[str, Text(_NAME, f"a role's name {_WORDS}")]
ZoneName = Annotated[str, Text(_NAME, f"a zone's name {_WORDS}")]
Backend = Annotated[str, Text(_NAME, f"a back end's name {_WORDS}")]
ImageKey = Annotated[str, Text(_NAME, f"an image key {_WORDS}")]
ServiceType = Annotated[str, Defined("types", "service type")]
KnownImageKey = Annotated[ImageKey, Defined("image_keys", "image key")]
RELEASE = Text(
    r"[0-9A-Za-z][0-9A-Za-z.+_-]*",
    "a release's name has letters, digits, ., +, _ and - only, and begins with a letter or a digit",
    more=_release,
)
#: A release's name, and what names one.
ReleaseName = Annotated[str, RELEASE]
#: As the package managers of both families spell names; Debian's may have an architecture.
PACKAGE = Text(
    r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(?::[a-z0-9-]+)?",
    "a package's name has letters, digits, _, ., + and - only, and is no glob: name each package",
    128,
)
PACKAGE_VERSION = Text(
    rf"(?:{NEWEST}|(?:{FLOOR})?(?:[0-9]+:)?[A-Za-z]?[0-9][A-Za-z0-9._+~^%-]*)",
    f"has to be one version, as the package manager shows it, {FLOOR}version without a blank, or {NEWEST}",
    128,
    _package_version,
)
PackageGlob = Annotated[
    str, Text(r"[A-Za-z0-9_*?\[][A-Za-z0-9_.+:*?!\[\]-]*", "has to be a package's name or a glob", 128, _glob)
]  # fmt: skip
PathGlob = Annotated[
    str,
    Text(r"(?:/[A-Za-z0-9_.+@%=:,~*?!\[\]-]+)+", "has to be an absolute path, or a glob of one", 512, _glob),
]
CONFIG_PATH = Text(
    rf"(?:/{_ELEMENT})+",
    "has to be an absolute path of a file, of letters, digits and _.+@%=:,~- only",
    512,  # with the service's name it is the id of a state: YAML takes no key of more than 1024
    _path,
)
CONFIG_SOURCE = Text(
    rf"salt://{_ELEMENT}(?:/{_ELEMENT})*(?:\?saltenv=[A-Za-z0-9_.-]+)?",
    "has to be a salt:// address of a file, of letters, digits and _.+@%=:,~- only",
    1024,
    _source,
)
HookName = Annotated[
    str,
    Text(r"[A-Za-z0-9](?:[A-Za-z0-9_.:+ -]*[A-Za-z0-9_.:+-])?",
         "a hook's name has letters, digits, blanks inside, _, ., :, + and - only"),
]  # fmt: skip
SlsName = Annotated[
    str,
    Text(r"[A-Za-z0-9_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_][A-Za-z0-9_-]*)*",
         "has to be an SLS as Salt names it: dots between the folders, no path, no .sls", 256),
]  # fmt: skip
Argument = Annotated[str, Text(r"[^\x00]+", "has a NUL in it", 65_536, printed)]
PROGRAM = Text(r"[^\x00]+", "has a NUL in it", 1024, _program)
Line = Annotated[str, Text(r"\S(?:.*\S)?", "has to be one line, without blanks around it", 255, _one_line)]
#: An argument that is written into a unit file.
UnitArgument = Annotated[str, Text(r".+", "has to be one line", 1024, _unit_argument)]
Note = Annotated[str, Text(r"[^\x00]+", "has a NUL in it", 4096, printed)]
Address = Annotated[str, Text(r"[0-9A-Fa-f.:]+", "has to be an IP address, without a prefix", more=_address)]
TARGET = Text(r"[ -~]+", "a target has printable ASCII characters only", 1_000_000, _target)
Target = Annotated[str, TARGET]


def as_command(arguments: list[str]) -> list[str]:
    """A list of arguments that begins with a program. Raises Wrong."""
    if not arguments:
        raise Wrong("is empty: give the program and its arguments as a list")
    if len(arguments) > _ARGUMENTS:
        raise Wrong(f"has {len(arguments)} arguments, {_ARGUMENTS} are allowed")
    if text := PROGRAM.problem(arguments[0]):
        raise Wrong("", lines=[((0,), text)])
    return arguments
