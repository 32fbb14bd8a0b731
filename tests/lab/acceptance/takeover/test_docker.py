"""Containers of docker on a real machine: only their image is replaced, and what ran before comes back."""

from __future__ import annotations

import json
import time
from statistics import median

import pytest

from tests.functional.conftest import booted
from tests.lab import settings

NAME = "placement_api"
ALONE = "placement_alone"
NETWORK = "placement_net"
UNIT = f"kolla-{NAME}-container.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
KEY = "placement_api_image"
DEPLOY = [
    "/opt/salt/bin/python",
    f"{settings.CHECKOUT_IN_NODE}/tests/lab/acceptance/takeover/kolla_docker.py",
]
# What docker gives each container anew, or what says where and when it runs.
_OF_ITSELF = ("Id", "Created", "State", "Image", "ResolvConfPath", "HostnamePath", "HostsPath", "LogPath")
_OF_ITS_ENDPOINT = ("EndpointID", "DNSNames", "MacAddress", "IPAddress", "IPPrefixLen", "Gateway")


class Docker:
    """docker in the machine, and the carrier of its containers."""

    def __init__(self, node):
        self.node = node
        old, new = (node.releases[version]["images"][KEY] for version in settings.RELEASES)
        self.old, self.new = old, new

    def inspect(self, name):
        """What docker tells of a container; None when there is none."""
        done = self.node.exec(["docker", "container", "inspect", name], check=False)
        return json.loads(done.stdout)[0] if not done.returncode else None

    def deployed(self, name=NAME):
        """All that docker tells of a container and its deployer said, by a rule of this test's own."""
        told = self.inspect(name)
        told = {
            key: value for key, value in told.items() if key not in (*_OF_ITSELF, "GraphDriver", "ExecIDs")
        }
        networks = told.pop("NetworkSettings")["Networks"]
        told["Networks"] = {
            name: {key: value for key, value in one.items() if key not in _OF_ITS_ENDPOINT}
            for name, one in networks.items()
        }
        config = told["Config"]
        del config["Image"]
        config["Env"] = sorted(one for one in config["Env"] if not one.startswith("VERSION="))
        del config["Labels"]["org.opencontainers.image.version"]
        for mount in told["Mounts"]:  # docker calls the mode of a volume with a name otherwise
            if mount["Type"] == "volume":
                del mount["Mode"]
        told["Mounts"] = {one["Destination"]: one for one in told["Mounts"]}
        binds = told["HostConfig"]["Binds"] or ()
        told["HostConfig"]["Binds"] = sorted(one for one in binds if not one.endswith("unnamed"))
        return flat(told)

    def version(self, name=NAME):
        """The version of the image that a container runs; "" when it does not run."""
        told = self.inspect(name)
        if not told or not told["State"]["Running"]:
            return ""
        return told["Config"]["Labels"]["org.opencontainers.image.version"]

    def names(self):
        return set(self.node.out(["docker", "ps", "--all", "--format", "{{.Names}}"]).split())

    def running(self):
        return set(self.node.out(["docker", "ps", "--format", "{{.Names}}"]).split())

    def carrier(self, function, name, given):
        given = given if isinstance(given, str) else json.dumps(given)
        program = ["salt-call", "--out=json", "--log-level=error", f"docker_container.{function}"]
        return json.loads(self.node.exec([*program, name, given]).stdout)["local"]

    def away(self, name, since):
        """Seconds from the end of a container to the start after it, by docker's events."""
        events = [
            "docker",
            "events",
            "--since",
            since,
            "--format",
            "{{.Action}} {{.TimeNano}} {{.Actor.Attributes.name}}",
        ]
        kinds = ["--filter", "event=start", "--filter", "event=die"]

        def told():
            until = self.node.out(["date", "+%s.%N"])
            lines = [line.split() for line in self.node.out([*events, *kinds, "--until", until]).splitlines()]
            at = {kind: int(when) for kind, when, who in lines if who in (name, f"{name}-previous")}
            return at.get("die", 0) < at.get("start", 0) and (at["start"] - at["die"]) / 1e9

        wait(told)
        return told()

    def restart_daemon(self):
        self.node.exec(["systemctl", "reset-failed", "docker"])
        self.node.exec(["systemctl", "restart", "docker"])


def flat(told, place=""):
    """{dotted key: value}, so that a difference can be read."""
    found = {}
    for key, value in told.items():
        found |= flat(value, f"{place}{key}.") if isinstance(value, dict) else {f"{place}{key}": value}
    return {key: value for key, value in found.items() if value not in (None, [], "")}  # told as either


@pytest.fixture(scope="module")
def node():
    """A machine with nothing else on it, as the functional tests have it."""
    with booted() as machine:
        machine.call("saltutil.sync_all")
        machine.edit()
        machine.converge()
        yield machine


@pytest.fixture(scope="module")
def engine(node):
    node.exec(["systemctl", "start", "docker.service"])
    docker = Docker(node)
    for image in (docker.old, docker.new, node.images["broken"]):
        node.call("docker_engine.pull", image)
    return docker


@pytest.fixture
def docker(engine):
    """docker with a service of kolla's and a container without a unit, both of the old image."""
    node = engine.node
    node.exec([*DEPLOY, "deploy", NAME, engine.old])
    node.exec([*DEPLOY, "alone", ALONE, engine.old, NETWORK])
    wait(lambda: engine.version() and engine.node.call("docker_engine.healthy", NAME) is True)
    yield engine
    node.exec(["systemctl", "disable", "--now", UNIT], check=False)
    for name in engine.names():
        node.exec(["docker", "rm", "--force", "--volumes", name])
    node.exec(["docker", "network", "rm", NETWORK])
    node.exec(["rm", "-f", UNIT_FILE])
    node.exec(["systemctl", "daemon-reload"])


def wait(ask, limit=30):
    until = time.monotonic() + limit
    while not ask():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.1)


def test_it_is_known_how_each_is_run(docker):
    told = docker.node.call("docker_engine.containers")
    assert set(told) == {NAME, ALONE}
    assert told[NAME]["running"] and told[NAME]["health_check"] and not told[ALONE]["health_check"]
    assert told[NAME]["image"] == docker.old
    image_id = told[NAME]["image_id"]
    assert docker.old in docker.node.call("docker_engine.local_images")[image_id]
    assert docker.node.call("docker_container.carried") == {
        NAME: {"unit": UNIT, "engine": "docker_engine", "image": docker.old, "journal": True},
        ALONE: {"unit": "", "engine": "docker_engine", "image": docker.old, "journal": False},
    }


def test_one_that_nobody_starts_again_is_left_alone(docker):
    docker.node.exec(["docker", "run", "--detach", "--name", "once", "--network", "host", docker.old])
    assert "once" not in docker.node.call("docker_container.carried")
    before = docker.inspect("once")
    assert "DEFINITION_REFUSED" in docker.node.refusal("docker_container.prepare", "once", docker.new)
    assert docker.inspect("once") == before


def test_only_the_image_is_replaced(docker):
    before, first, unit = docker.deployed(), docker.inspect(NAME), docker.node.out(["cat", UNIT_FILE])
    token = docker.carrier("prepare", NAME, docker.new)
    assert docker.inspect(NAME)["State"]["Pid"] == first["State"]["Pid"]
    assert docker.inspect(f"{NAME}-next")["State"]["Status"] == "created"
    since = docker.node.out(["date", "+%s.%N"])
    docker.carrier("replace", NAME, token)
    assert docker.version() == "1.0.1"
    assert docker.node.call("docker_engine.healthy", NAME) is True
    now = docker.node.call("docker_engine.definition", NAME, token["definition"]["key"])
    assert now == token["definition"]
    docker.carrier("accept", NAME, token)
    docker.carrier("accept", NAME, token)
    assert docker.names() == {NAME, ALONE}
    assert docker.deployed() == before
    assert docker.node.out(["cat", UNIT_FILE]) == unit
    assert docker.node.out(["systemctl", "is-active", UNIT]) == "active"
    told = ["docker", "events", "--since", since, "--until", docker.node.out(["date", "+%s.%N"])]
    told += ["--filter", "event=start", "--filter", "event=die", "--format", "{{.Action}} {{.Actor.ID}}"]
    ran = docker.node.out(told).splitlines()
    assert ran == [f"die {first['Id']}", f"start {docker.inspect(NAME)['Id']}"]


def test_one_without_a_unit_keeps_its_network_and_its_unnamed_volume(docker):
    before, first = docker.deployed(ALONE), docker.inspect(ALONE)
    docker.node.exec(["docker", "exec", ALONE, "touch", "/var/lib/unnamed/kept"])
    token = docker.carrier("prepare", ALONE, docker.new)
    docker.restart_daemon()  # which starts nothing that waits
    assert docker.running() == {NAME, ALONE}
    docker.carrier("replace", ALONE, token)
    docker.restart_daemon()
    assert docker.running() == {NAME, ALONE} and docker.version(ALONE) == "1.0.1"
    docker.carrier("accept", ALONE, token)
    assert docker.deployed(ALONE) == before
    now = docker.inspect(ALONE)
    endpoints = [one["NetworkSettings"]["Networks"][NETWORK] for one in (first, now)]
    for key in ("IPAddress", "MacAddress", "Aliases"):
        assert endpoints[0][key] == endpoints[1][key]
    docker.node.exec(["docker", "exec", ALONE, "test", "-e", "/var/lib/unnamed/kept"])
    # and the same once more, from what was made here
    token = docker.carrier("prepare", ALONE, docker.old)
    docker.carrier("replace", ALONE, token)
    docker.carrier("accept", ALONE, token)
    assert docker.deployed(ALONE) == before and docker.version(ALONE) == "1.0.0"


@pytest.mark.parametrize("name", [NAME, ALONE])
def test_what_ran_before_comes_back_from_one_that_exits(docker, name):
    before, first = docker.deployed(name), docker.inspect(name)["Id"]
    token = docker.carrier("prepare", name, docker.node.images["broken"])
    docker.node.exec(
        ["salt-call", "--log-level=error", "docker_container.replace", name, json.dumps(token)], check=False
    )
    wait(lambda: not docker.node.call("docker_engine.containers")[name]["running"])
    for _ in range(2):
        docker.carrier("put_back", name, token)
        assert docker.inspect(name)["Id"] == first and docker.version(name) == "1.0.0"
        assert docker.names() == {NAME, ALONE}
        assert docker.deployed(name) == before


STEPS = ("by id", "previous", "next", "stop", "start")
STOP_BY_ID = f"/run/systemd/system/{UNIT}.d/zz-openstack-rollout-stop.conf"


@pytest.mark.parametrize("done", range(len(STEPS) + 1))
def test_put_back_goes_on_from_wherever_a_killed_process_stopped(docker, done):
    before, first = docker.deployed(), docker.inspect(NAME)["Id"]
    started = docker.inspect(NAME)["State"]["StartedAt"]
    token = docker.carrier("prepare", NAME, docker.new)
    by_id = f"[Service]\nExecStop=\nExecStop=/usr/bin/docker stop {first} -t 10\n"
    commands = {
        "by id": ["install", "-D", "/dev/stdin", STOP_BY_ID],
        "stop": ["systemctl", "stop", UNIT],
        "previous": ["docker", "rename", NAME, f"{NAME}-previous"],
        "next": ["docker", "rename", f"{NAME}-next", NAME],
        "start": ["systemctl", "start", UNIT],
    }
    for step in STEPS[:done]:
        docker.node.exec(commands[step], stdin=by_id if step == "by id" else None)
        docker.node.exec(["systemctl", "daemon-reload"])
    docker.carrier("put_back", NAME, token)
    assert docker.names() == {NAME, ALONE}
    assert docker.inspect(NAME)["Id"] == first and docker.deployed() == before
    assert docker.version() == "1.0.0"
    assert docker.node.out(["systemctl", "is-active", UNIT]) == "active"
    assert docker.node.exec(["test", "-e", STOP_BY_ID], check=False).returncode != 0
    if done <= STEPS.index("stop"):  # nothing was stopped yet, and nothing had to be
        assert docker.inspect(NAME)["State"]["StartedAt"] == started


ROUNDS = 8
MOST = 1.2  # of a bare restart


@pytest.mark.parametrize(
    ("name", "restart"), [(NAME, ["systemctl", "restart", UNIT]), (ALONE, ["docker", "restart", ALONE])]
)
def test_a_service_is_away_no_longer_than_in_a_bare_restart(docker, name, restart):
    ours, bare = [], []
    for number in range(ROUNDS):
        token = docker.carrier("prepare", name, (docker.new, docker.old)[number % 2])
        since = docker.node.out(["date", "+%s.%N"])
        docker.carrier("replace", name, token)
        ours.append(docker.away(name, since))
        docker.carrier("accept", name, token)
        since = docker.node.out(["date", "+%s.%N"])
        docker.node.exec(restart)
        bare.append(docker.away(name, since))
    ratio = median(ours) / median(bare)
    print(f"\n== {name}: away {ours} s, by {' '.join(restart)} {bare} s: {ratio:.2f}")
    assert ratio <= MOST


def test_a_replacement_that_was_not_begun_is_dropped(docker):
    first = docker.inspect(NAME)
    token = docker.carrier("prepare", NAME, docker.new)
    docker.carrier("prepare", NAME, docker.new)  # of a process that was killed before it told anyone
    assert f"{NAME}-next" in docker.names()
    docker.node.exec(["docker", "rm", f"{NAME}-next"])
    docker.carrier("discard", NAME, token)
    token = docker.carrier("prepare", NAME, docker.new)
    docker.carrier("discard", NAME, token)
    assert docker.names() == {NAME, ALONE}
    assert docker.inspect(NAME)["State"]["Pid"] == first["State"]["Pid"]


@pytest.mark.parametrize("suffix", ["-next", "-previous"])
def test_anothers_container_of_such_a_name_is_left_alone(docker, suffix):
    docker.node.exec(
        [
            "docker",
            "run",
            "--name",
            f"{NAME}{suffix}",
            "--network",
            "host",
            "--entrypoint",
            "true",
            docker.old,
        ]
    )
    there = docker.inspect(f"{NAME}{suffix}")
    assert "DEFINITION_REFUSED" in docker.node.refusal("docker_container.prepare", NAME, docker.new)
    assert docker.inspect(f"{NAME}{suffix}") == there
    assert docker.version() == "1.0.0"


def test_a_deployer_that_comes_in_between_is_left_alone(docker):
    token = docker.carrier("prepare", NAME, docker.new)
    docker.carrier("replace", NAME, token)
    docker.node.exec(["docker", "rm", "--force", NAME])
    docker.node.exec(["docker", "run", "--detach", "--name", NAME, "--network", "host", docker.new])
    there = docker.inspect(NAME)["Id"]
    docker.node.refusal("docker_container.put_back", NAME, json.dumps(token))
    docker.node.refusal("docker_container.accept", NAME, json.dumps(token))
    assert docker.inspect(NAME)["Id"] == there and docker.version() == "1.0.1"
    assert f"{NAME}-previous" in docker.names()


def test_what_docker_would_make_otherwise_is_not_begun(docker):
    """A limit of a time when the kernel knew it: docker would leave it out today."""
    first = docker.inspect(ALONE)
    node = docker.node
    node.exec(["systemctl", "stop", "docker.socket", "docker.service"])
    file = f"/var/lib/containers/docker/containers/{first['Id']}/hostconfig.json"
    node.exec(["sed", "--in-place", 's/"CpuShares":0/"CpuShares":345/', file])
    docker.restart_daemon()
    said = node.refusal("docker_container.prepare", ALONE, docker.new)
    assert "DEFINITION_CHANGED" in said and "HostConfig.CpuShares" in said and "345" not in said
    assert docker.names() == {NAME, ALONE}
    assert docker.inspect(ALONE)["State"]["Pid"] == first["State"]["Pid"]


def test_what_docker_does_not_create_any_more_is_not_begun(docker):
    docker.node.exec(["mkdir", "/srv/mounted"])
    mount = "type=bind,source=/srv/mounted,target=/mounted"
    run = ["docker", "run", "--detach", "--name", "mounts", "--network", "host", "--restart", "always"]
    docker.node.exec([*run, "--mount", mount, docker.old])
    docker.node.exec(["rmdir", "/srv/mounted"])
    said = docker.node.refusal("docker_container.prepare", "mounts", docker.new)
    assert "DEFINITION_REFUSED" in said and "/srv/mounted" in said
    assert docker.names() == {NAME, ALONE, "mounts"}


def test_pulls_fail_under_the_same_reasons_as_podmans(docker):
    missing = docker.old.partition("@")[0] + "@sha256:" + "0" * 64
    assert "IMAGE_MISSING" in docker.node.refusal("docker_engine.pull", missing)
    docker.node.lab.stop_registry()
    try:
        assert "REGISTRY_UNREACHABLE" in docker.node.refusal("docker_engine.pull", missing)
    finally:
        docker.node.lab.start_registry()


def test_a_health_check_is_run_at_once(docker):
    assert docker.node.call("docker_engine.healthy", NAME) is True
    docker.node.exec(["docker", "exec", NAME, "rm", "/tmp/www/version"])
    assert docker.node.call("docker_engine.healthy", NAME) is False
    assert docker.node.call("docker_engine.healthy", ALONE) is False  # it has none
    assert docker.node.call("docker_engine.healthy", "nobody") is False


def at_image(node, name, image, *arguments):
    """The answer of the state that a service whose definition is found has."""
    given = [f"container={name}", f"image={image}", "timeout=30", *arguments]
    done = node.exec(
        ["salt-call", "--out=json", "--log-level=error", "state.single", "container.at_image", name, *given],
        check=False,
        timeout=300,
    )
    (answer,) = json.loads(done.stdout)["local"].values()
    return answer


@pytest.mark.parametrize("name", [NAME, ALONE])
def test_the_state_replaces_the_image_and_then_nothing(docker, name):
    before = docker.deployed(name)
    assert at_image(docker.node, name, docker.old)["changes"] == {}
    assert at_image(docker.node, name, docker.new, "test=True")["result"] is None
    answer = at_image(docker.node, name, docker.new)
    assert answer["result"] is True and answer["changes"][name]["carrier"] == "docker_container", answer
    assert docker.version(name) == "1.0.1" and docker.deployed(name) == before
    assert at_image(docker.node, name, docker.new)["changes"] == {}
    assert docker.names() == {NAME, ALONE}


@pytest.mark.parametrize("name", [NAME, ALONE])
def test_the_state_puts_back_what_ran_before(docker, name):
    before, first = docker.deployed(name), docker.inspect(name)["Id"]
    answer = at_image(docker.node, name, docker.node.images["broken"])
    assert answer["result"] is False and "CONTAINER_EXITED" in json.dumps(answer)
    assert docker.inspect(name)["Id"] == first and docker.deployed(name) == before
    assert docker.version(name) == "1.0.0" and docker.names() == {NAME, ALONE}


def test_the_state_mends_what_a_killed_run_left(docker):
    """The minion's process is killed as soon as the container that ran is away."""
    before = docker.deployed()
    first = docker.inspect(NAME)["Id"]
    run = f"salt-call state.single container.at_image x container={NAME} image={docker.new}"
    pid = docker.node.out(["sh", "-c", f"{run} >/dev/null 2>&1 & echo $!"])
    wait(lambda: f"{NAME}-previous" in docker.names() or docker.version() != "1.0.0")
    docker.node.exec(["kill", "-9", pid])
    assert at_image(docker.node, NAME, docker.new)["result"] is True
    assert docker.version() == "1.0.1" and docker.deployed() == before
    assert docker.names() == {NAME, ALONE} and docker.inspect(NAME)["Id"] != first


def test_a_node_tells_of_both_engines(docker):
    told = docker.node.call("openstack_node.facts", "fresh=True")
    assert {NAME, ALONE, "nova_compute"} <= set(told["containers"])
    assert told["containers"][NAME]["digests"] == [docker.old.partition("@")[2]]
    assert told["carried"][NAME]["carrier"] == "docker_container" and told["carried"][NAME]["unit"] == UNIT
    docker.node.exec(["docker", "stop", NAME])  # its unit will start it again
    assert docker.node.call("openstack_node.facts")["containers"][NAME]["running"] is False
