"""The files of a real Open vSwitch for the lab's packages: the base image's, told apart by their version.

An update is only seen to take effect when the new program says another version than the old one, and its
database's schema is another one too. The programs differ in nothing else.
"""

import json
from pathlib import Path

#: paths in the base image, and where the package has them
_PROGRAMS = {
    "usr/lib/openvswitch-switch/ovs-vswitchd": "/usr/sbin/ovs-vswitchd",
    "usr/sbin/ovsdb-server": "/usr/sbin/ovsdb-server",
    "usr/bin/ovsdb-tool": "/usr/bin/ovsdb-tool",
    "usr/bin/ovs-vsctl": "/usr/bin/ovs-vsctl",
    "usr/bin/ovs-ofctl": "/usr/bin/ovs-ofctl",
    "usr/bin/ovs-appctl": "/usr/bin/ovs-appctl",
}
_SCHEMA = "usr/share/openvswitch/vswitch.ovsschema"
_LIBRARY = "usr/share/openvswitch/scripts/ovs-lib"


def make(root: Path, version: str, place: Path, *, older_schema: bool) -> dict[str, Path]:
    """Write the switch's files of that version.

    Args:
        root: The base image.
        version: As long as the base's own, e.g. 3.4.0 for 3.5.0.
        place: A directory that does not exist.
        older_schema: Whether its database lacks what the base's has, so that a conversion is due later.

    Returns:
        {path on a node: file}.

    Raises:
        RuntimeError: The base's switch does not say its version as these programs do.
    """
    place.mkdir(parents=True)
    library = (root / _LIBRARY).read_text()
    own = library.partition("VERSION='")[2].partition("'")[0]
    if len(own) != len(version):
        raise RuntimeError(f"the base image's switch is {own!r}, which cannot be made to say {version}")
    files = {}
    for source, target in _PROGRAMS.items():
        content = (root / source).read_bytes()
        if own.encode() not in content:
            raise RuntimeError(f"{source} does not hold its version {own}")
        files[target] = _write(place / Path(target).name, content.replace(own.encode(), version.encode()))
    files["/" + _LIBRARY] = _write(place / "ovs-lib", library.replace(own, version).encode(), 0o644)
    schema = json.loads((root / _SCHEMA).read_text())
    if older_schema:
        major, minor, patch = schema["version"].split(".")
        schema["version"] = f"{major}.{int(minor) - 1}.{patch}"
        del schema["tables"]["Mirror"]["columns"]["filter"]
    files["/" + _SCHEMA] = _write(place / "schema", json.dumps(schema, indent=1).encode(), 0o644)
    return files


def _write(path: Path, content: bytes, mode: int = 0o755) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path
