"""The lab by hand: python -m tests.lab up | down | status | exec NODE COMMAND... | master COMMAND... | ..."""

import argparse
import os
import sys
import time

from . import base, debs, extra_debs, images, operator, packages, settings
from .cloud import Lab
from .deployers import tools
from .enclosure import LabError
from .network import Overlay
from .probe import Probe


def main() -> int:
    """Parse the command line and do what it says; the exit status."""
    options = _parser().parse_args()
    try:
        return options.do(options) or 0
    except (LabError, RuntimeError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab", description="A small cloud of real machines."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("up", help="build what is missing, boot, wait for every minion")
    one.add_argument("--profile", choices=sorted(settings.PROFILES), help="default: small")
    one.set_defaults(do=_up)
    one = commands.add_parser("down", help="kill everything, remove the run state")
    one.set_defaults(do=lambda _: Lab().down())
    commands.add_parser("status", help="machines and services, and their state").set_defaults(do=_status)
    commands.add_parser("build", help="only build what the cache lacks").set_defaults(do=_build)
    for name, text in (("start", "start a machine or a service"), ("kill", "pull its plug")):
        one = commands.add_parser(name, help=text)
        one.add_argument("name")
        one.set_defaults(do=lambda options, verb=name: getattr(Lab(), verb)(options.name))
    one = commands.add_parser("exec", help="run a command in a machine")
    one.add_argument("node")
    one.add_argument("argv", nargs=argparse.REMAINDER)
    one.set_defaults(do=_exec)
    one = commands.add_parser("logs", help="a machine's journal (arguments go to journalctl)")
    one.add_argument("node")
    one.add_argument("argv", nargs=argparse.REMAINDER)
    one.set_defaults(do=lambda options: print(Lab().logs(options.node, tuple(options.argv)), end=""))
    one = commands.add_parser("master", help="run a command on the master, e.g. salt-run rollout.status")
    one.add_argument("argv", nargs=argparse.REMAINDER)
    one.set_defaults(do=_master)
    one = commands.add_parser("network", help="the overlay: build it, or send traffic through it and measure")
    verbs = one.add_subparsers(required=True, metavar="VERB")
    verbs.add_parser("build", help="networks, a router, VMs").set_defaults(do=_build_network)
    one = verbs.add_parser("probe", help="100 packets/s a pair; lost packets and longest gaps")
    one.add_argument("seconds", type=float)
    one.set_defaults(do=_probe)
    text = "bring a new lab to its first release; with an API, until it works"
    one = commands.add_parser("install", help=text)
    one.set_defaults(do=_install)
    return parser


def _up(options: argparse.Namespace) -> None:
    began = time.monotonic()
    lab = Lab(profile=options.profile)
    lab.up()
    print(f"{' '.join(lab.nodes)} are up and answer, after {time.monotonic() - began:.0f} s")


def _install(_: argparse.Namespace) -> None:
    began = time.monotonic()
    lab = Lab()
    operator.install(lab, settings.RELEASES[0])
    if lab.profile == settings.OPENSTACK:
        from .openstack.api import Api

        Api(lab).wait_until_ready()
    print(f"at {settings.RELEASES[0]}, after {time.monotonic() - began:.0f} s")


def _build(_: argparse.Namespace) -> None:
    root = base.ensure()
    packages.ensure(root)
    images.ensure(root)
    debs.ensure(root)
    extra_debs.ensure(root, extra_debs.MEMBERS)
    for tool in ("tripleo", "kolla"):
        tools.ensure(tool)


def _build_network(_: argparse.Namespace) -> None:
    for vm in Overlay(Lab()).build().vms.values():
        print(f"{vm.name:10}{vm.node:8}{vm.address:14}{vm.floating or ''}")


def _probe(options: argparse.Namespace) -> None:
    with Probe(Overlay(Lab())) as probe:
        time.sleep(options.seconds)
        print(probe.stop().table())


def _status(_: argparse.Namespace) -> int:
    lab = Lab()
    if not lab.running:
        print("the lab is not up")
        return 3
    print(f"{'NAME':14}{'ROLE':12}{'ZONE':6}{'ADDRESS':14}STATE")
    for name, facts in lab.status().items():
        print(f"{name:14}{facts['role']:12}{facts['zone']:6}{facts['address']:14}{facts['state']}")
    return 0


def _exec(options: argparse.Namespace) -> None:
    command = Lab().exec_command(options.node, options.argv, terminal=sys.stdin.isatty())
    os.execvp(command[0], command)


def _master(options: argparse.Namespace) -> None:
    command = Lab().master_command(options.argv)
    os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main())
