"""Two services that are packages, with the scripts that real ones have: they restart what they update.

Both need the same version of a library, so one cannot move without the other. Each start of a service is
told in a file, with the version that it runs.
"""

from __future__ import annotations

from tests.lab.packages import Package

from . import own_repository
from .own_repository import Deb

NAMES = ("svc-api", "svc-worker")
LIBRARY = "svc-common"
SHARED = "svc-shared"  # what both run too, in a version that no release names
GUEST = "svc-guest"  # somebody else's package
PROGRAM = """#!/bin/sh
echo "$(date +%s.%N) $(cat /usr/share/{library}/VERSION)" >> /var/log/{name}.starts
{end}
"""
#: It listens, and goes on to do so once somebody has connected: what it starts then has its socket. Nobody
#: who connects hears anything.
LISTENS = "exec systemd-socket-activate --listen=127.0.0.1:{port} /bin/sleep infinity"
ANSWERS = "exec /usr/bin/python3 -m http.server --bind 127.0.0.1 --directory /usr/share/{library} {port}"
ENDS, DEAF = "exit 3", "exec sleep infinity"
#: what each does; the first speaks HTTP
RUNS = {"svc-api": ANSWERS, "svc-worker": LISTENS}
PORTS = {"svc-api": 18774, "svc-worker": 18775}
KEPT = "/var/lib/openstack-rollout/packages"
UNIT = """[Unit]
Description={name}
[Service]
ExecStart=/usr/bin/{name}
[Install]
WantedBy=multi-user.target
"""
_DEB_PRERM = "deb-systemd-invoke stop {name}.service || true\n"
_DEB_POSTINST = """deb-systemd-helper enable {name}.service >/dev/null
systemctl --system daemon-reload >/dev/null || true
deb-systemd-invoke restart {name}.service || true
"""


def publish(
    node, number: str, debian: bool, broken: str = "", conflicts: str = "", deaf: str = "", mute: str = ""
) -> dict[str, str]:
    """Offer the packages in a version; {name: version} as a release names them.

    broken: of which service the program ends at once. conflicts: what the library does not go along with.
    deaf: which service no longer listens. mute: which one listens, and no longer answers.
    """
    version = f"{number}-1" if debian else f"{number}-1.el9"
    programs = {name: _program(name, {broken: ENDS, deaf: DEAF, mute: LISTENS}) for name in NAMES}
    if debian:
        own_repository.publish_debs(node, _debs(number, programs, conflicts))
    else:
        own_repository.publish(node, _rpms(node, number, programs, conflicts))
    return dict.fromkeys((*NAMES, LIBRARY), version)


def publish_shared(node, number: str, debian: bool) -> str:
    """Offer what both share in a version of its own; that version."""
    if debian:
        own_repository.publish_debs(node, [Deb(SHARED, f"{number}-1")])
        return f"{number}-1"
    own_repository.publish(node, [Package(SHARED, number, "1")])
    return f"{number}-1.el9"


def lose(node, number: str, debian: bool) -> None:
    """Have neither the repository nor the package manager's cache know a version any more."""
    if debian:
        own_repository.withdraw_debs(node, f"svc-*_{number}-1.deb")
    else:
        own_repository.withdraw(node, f"svc-*-{number}-1.el9.noarch.rpm")
        node.exec(["dnf", "--quiet", "makecache"])
    for place in ("/var/cache/apt/archives", "/var/cache/dnf"):
        for name in (f"svc-*_{number}-1_all.deb", f"svc-*-{number}-1.el9.noarch.rpm"):
            node.exec(["find", place, "-name", name, "-delete"], check=False)


def services(unit: str = "") -> dict:
    """What the operator says of them. unit: that both are of, instead of one each."""
    return {
        name: {
            "deploy": "package",
            "packages": {"RedHat": [name], "Debian": [name]},
            "libraries": {"RedHat": [LIBRARY, SHARED], "Debian": [LIBRARY, SHARED]},
            "units": {"RedHat": [unit or name], "Debian": [unit or name]},
            "roles": ["compute"],
            "stage": "services",
            "health": {"timeout": 12, **({"http": "/"} if RUNS[name] == ANSWERS else {})},
            "order": 10 * place,
            "enabled": True,
        }
        for place, name in enumerate(NAMES, 1)
    }


def starts(node, name: str) -> list[tuple[float, str]]:
    """Each start of a service: when, and which version it ran."""
    lines = node.out(["cat", f"/var/log/{name}.starts"]).splitlines()
    return [(float(when), version) for when, version in map(str.split, lines)]


def runs(node, name: str) -> bool:
    return node.exec(["systemctl", "is-active", f"{name}.service"], check=False).stdout.strip() == "active"


def _program(name: str, instead: dict[str, str]) -> str:
    end = instead.get(name, RUNS[name]).format(port=PORTS[name], library=LIBRARY)
    return PROGRAM.format(name=name, library=LIBRARY, end=end)


def _debs(number: str, programs: dict[str, str], conflicts: str) -> list[Deb]:
    version = f"{number}-1"
    found = [Deb(LIBRARY, version, conflicts=conflicts), Deb(GUEST, "1-1")]
    for name in NAMES:
        files = {
            f"/usr/bin/{name}": (programs[name], 0o755),
            f"/lib/systemd/system/{name}.service": (UNIT.format(name=name), 0o644),
        }
        scripts = {"prerm": _DEB_PRERM.format(name=name), "postinst": _DEB_POSTINST.format(name=name)}
        found.append(Deb(name, version, f"{LIBRARY} (= {version})", scripts=scripts, files=files))
    return found


def _rpms(node, number: str, programs: dict[str, str], conflicts: str) -> list[Package]:
    place = node.lab.home / "packaged" / number
    place.mkdir(parents=True, exist_ok=True)
    library = Package(LIBRARY, number, "1", conflicts=(conflicts,) if conflicts else ())
    found = [library, Package(GUEST, "1", "1")]
    for name in NAMES:
        program, unit = place / name, place / f"{name}.service"
        program.write_text(programs[name])
        program.chmod(0o755)
        unit.write_text(UNIT.format(name=name))
        # What %systemd_postun_with_restart comes to, and %systemd_preun.
        scripts = {
            "post": f'if [ "$1" -eq 1 ]; then systemctl --no-reload preset {name}.service || :; fi',
            "preun": f'if [ "$1" -eq 0 ]; then systemctl disable --now {name}.service || :; fi',
            "postun": f'if [ "$1" -ge 1 ]; then systemctl try-restart {name}.service || :; fi',
        }
        files = {f"/usr/bin/{name}": program, f"/usr/lib/systemd/system/{name}.service": unit}
        requires = (f"{LIBRARY} = {number}-1.el9",)
        found.append(Package(name, number, "1", requires=requires, scriptlets=scripts, files=files))
    return found
