"""One real machine with systemd, dnf, podman and Open vSwitch, driven from inside by salt-call."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator

import pytest

from tests.lab import operator, settings
from tests.lab.cloud import Lab

NAME = "cmp1"
#: where a minion keeps the modules that are synced to it
MODULES = "/var/cache/salt/minion/extmods"


class Node:
    """The machine, as an operator who is logged in on it sees it."""

    def __init__(self, lab: Lab):
        self.lab = lab
        self.releases = lab.releases
        self.images = lab.images

    def exec(self, argv: list[str], **options):
        """Run a command in the machine; its completed process."""
        return self.lab.exec(NAME, argv, **options)

    def out(self, argv: list[str]) -> str:
        """What a command in the machine prints."""
        return self.exec(argv).stdout.strip()

    def call(self, function: str, *arguments: str):
        """What an execution function of Salt returns."""
        done = self.exec(
            ["salt-call", "--out=json", "--log-level=error", function, *arguments], check=False, timeout=300
        )
        return json.loads(done.stdout)["local"]

    def take_modules(self) -> None:
        """Have the checkout's modules, as saltutil.sync_all brings them.

        Which asks the master for each of 400 files, as every highstate does again: they do not change here.
        """
        copies = (
            f"cp -rT {settings.CHECKOUT_IN_NODE}/_{kind} {MODULES}/{kind}"
            for kind in ("modules", "states", "utils")
        )
        self.exec(["sh", "-ec", "; ".join([f"mkdir -p {MODULES}", *copies])])
        self.exec(["tee", "/etc/salt/minion.d/synced.conf"], stdin="autoload_dynamic_modules: false\n")
        self.call("saltutil.refresh_modules", "async=False")

    def commands(self, function: str, *arguments: str) -> list[list[str]]:
        """The programs that salt-call starts for an execution function, each with its arguments."""
        record = "/run/commands.json"
        python = self.out(["sh", "-c", "head -1 $(command -v salt-call)"]).removeprefix("#!").split()
        counted = f"{settings.CHECKOUT_IN_NODE}/tests/functional/counted_call.py"
        self.exec([*python, counted, record, "--out=quiet", function, *arguments], timeout=300)
        return [json.loads(line)["command"] for line in self.out(["cat", record]).splitlines()]

    def refusal(self, function: str, *arguments: str) -> str:
        """What an execution function of Salt says when it fails, as it has to."""
        done = self.exec(["salt-call", "--log-level=error", function, *arguments], check=False, timeout=300)
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr

    def apply(self, *sls: str, test: bool = False) -> dict[str, dict]:
        """state.apply: {state id: its answer}."""
        arguments = [*sls, *(["test=True"] if test else [])]
        answer = self.call("state.apply", *arguments)
        assert isinstance(answer, dict), answer
        return {result["__id__"]: result for result in answer.values()}

    def converge(self, *sls: str) -> set[str]:
        """state.apply that has to work; the ids of the states that changed something."""
        answer = self.apply(*sls)
        assert all(result["result"] for result in answer.values()), failures(answer)
        return {name for name, result in answer.items() if result["changes"]}

    def predict(self, *sls: str) -> set[str]:
        """state.apply test=True; the ids of the states that would change something."""
        answer = self.apply(*sls, test=True)
        assert all(result["result"] is not False for result in answer.values()), failures(answer)
        return {name for name, result in answer.items() if result["result"] is None or result["changes"]}

    def failure(self, *sls: str) -> str:
        """state.apply that has to fail, at one state and there it stops; that state's comment."""
        failed = failures(self.apply(*sls))
        assert len(failed) == 1, failed
        return failed[0]

    def edit(self, **keys) -> None:
        """The operator's page with these keys; what an earlier edit set is gone.

        It counts at once, without a refresh of the pillar: neither has an operator to ask for one.
        """
        self.lab.set_pillar(**keys)

    def started(self) -> dict[str, str]:
        """container name -> when it was started, of those that run."""
        lines = self.out(["podman", "ps", "--format", "{{.Names}} {{.StartedAt}}"]).splitlines()
        return dict(line.split() for line in lines)

    def digest(self, container: str) -> str:
        """The digest of the image that a container runs."""
        return self.out(["podman", "inspect", "--format", "{{.ImageDigest}}", container])

    def status(self) -> dict:
        """What salt-run rollout.status tells of this node: differences by stage, health, notes, …"""
        return operator.status(self.lab)["nodes"][NAME]

    def packages(self) -> dict[str, list[str]]:
        """package -> its installed versions, asked of rpm."""
        found: dict[str, list[str]] = {}
        for line in self.out(
            ["rpm", "-qa", "--queryformat", "%{NAME} %{VERSION}-%{RELEASE}\\n"]
        ).splitlines():
            name, version = line.split()
            found.setdefault(name, []).append(version)
        return {name: sorted(versions) for name, versions in found.items()}


def failures(answer: dict[str, dict]) -> list[str]:
    """The comments of the states that failed."""
    return [result["comment"] for result in answer.values() if result["result"] is False]


@contextlib.contextmanager
def booted(profile: str = "one") -> Iterator[Node]:
    """A machine that is just booted; torn down at the end, whatever happens."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")  # each process of the tests has a machine of its own
    lab = Lab(home=settings.HOME.with_name(f"{settings.HOME.name}-functional{worker}"), profile=profile)
    lab.down()
    try:
        lab.up()
        node = Node(lab)
        node.take_modules()
        yield node
    finally:
        lab.down()


@pytest.fixture(scope="module")
def machine(request: pytest.FixtureRequest) -> Iterator[Node]:
    """A machine of its own for each module, just booted; a module's LAB_PROFILE says which."""
    with booted(getattr(request.module, "LAB_PROFILE", "one")) as found:
        yield found


@pytest.fixture(scope="module")
def node(machine: Node) -> Node:
    """The machine, brought to release 1.0.0."""
    machine.edit()
    machine.converge()
    return machine


@pytest.fixture
def page(node) -> Iterator[None]:
    """Puts the operator's page and the machine back after a test that spoils them."""
    yield
    node.edit()
    node.converge()
