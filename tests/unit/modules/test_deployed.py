"""What a node tells of its containers: all of them, with what starts each, and none of their secrets."""

from __future__ import annotations

import json

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.declared import deployed as schema
from openstack_rollout.node import docker_api
from tests.unit.loading import Commands, load

DIGEST = "sha256:" + "a" * 64
REFERENCE = f"registry.example/nova-compute@{DIGEST}"
SHOW = "systemctl show"
GLOBS = ["edpm_*.service", "tripleo_*.service"]


def inspected(name, image="1" * 64, labels=None, docker=False, **keys):
    """An entry of `podman container inspect`, or of docker's."""
    reference = "registry.example/nova-compute:18.0"
    config = {
        "Labels": labels,
        "Env": ["OS_PASSWORD=hunter2"],
        "Cmd": ["--password=hunter3"],
        "CreateCommand": ["podman", "run", "-e", "OS_PASSWORD=hunter2"],
    }
    entry = {
        "Id": f"id-of-{name}",
        "Name": f"/{name}" if docker else name,
        "Image": f"sha256:{image}" if docker else image,
        "State": {"Running": True, "ExitCode": 0},
        "Created": "2026-01-01T00:00:00Z",
        "Config": {**config, "Image": reference} if docker else config,
    }
    return {**entry, **({} if docker else {"ImageName": reference}), **keys}


def unit(name, exec_start="", load="loaded", active="active", kind="simple", enabled="enabled"):
    """A block of `systemctl show`."""
    start = f"{{ path=/usr/bin/x ; argv[]={exec_start} ; ignore_errors=no ; start_time=[n/a] }}"
    return (
        f"Type={kind}\nExecStart={start}\nId={name}\nLoadState={load}\nActiveState={active}\nSubState=x\n"
        f"UnitFileState={enabled}\n"
    )


def node(
    monkeypatch, containers=(), units=(), programs=("podman",), files="", images=None, salt=None, **more
):
    """The module on a node with these containers and units."""
    images = images or [{"Id": "1" * 64, "RepoDigests": [REFERENCE]}]
    answers = {
        "podman --version": "podman version 5.4.2",
        "podman ps": "\n".join(entry["Id"] for entry in containers),
        "podman container inspect": json.dumps(list(containers)),
        "podman image inspect": json.dumps(images),
        f"{SHOW} --all --no-pager --property=Id,LoadState,ActiveState,SubState,UnitFileState,Type,ExecStart"
        " -- *.service": "\n".join(units),
        "systemctl list-unit-files": files,
        **more.pop("answers", {}),
    }
    commands = Commands(answers)
    module = load(
        "modules", "deployed", salt={"cmd.run_all": commands, **(salt or {})}, grains={"id": "cmp1", **more}
    )
    monkeypatch.setattr(module.salt.utils.path, "which", lambda name: name in programs and f"/bin/{name}")
    return module, commands


def report(module, units=GLOBS):
    """What the node tells, which the master has to accept."""
    found = module.report(units)
    schema.read("cmp1", json.loads(json.dumps(found)))
    return found


def test_a_container_is_told_with_its_unit_and_image(monkeypatch):
    labels = {"PODMAN_SYSTEMD_UNIT": "edpm_nova_compute.service", "managed_by": "edpm_ansible"}
    module, _ = node(
        monkeypatch, [inspected("nova_compute", labels=labels)], [unit("edpm_nova_compute.service")]
    )
    found = report(module)
    assert found["engines"] == {"podman": "5.4.2"} and found["trouble"] == []
    state = {"load": "loaded", "active": "active", "sub": "x", "enabled": "enabled", "type": "simple"}
    assert found["containers"] == {
        "nova_compute": {
            "engine": "podman",
            "running": True,
            "exit_code": 0,
            "created": "2026-01-01T00:00:00Z",
            "image": "registry.example/nova-compute:18.0",
            "image_id": "1" * 64,
            "digests": [REFERENCE],
            "labels": labels,
            "unit": "edpm_nova_compute.service",
            "unit_state": state,
            "carrier": "",
            "definition": "",
        }
    }
    assert found["units"] == {"edpm_nova_compute.service": state}


def test_no_secret_leaves_the_node(monkeypatch):
    labels = {"config_data": '{"OS_PASSWORD": "hunter4"}', "managed_by": "tripleo_ansible", "name": "hunter5"}
    starts = unit("own.service", "/usr/bin/podman run -e PASSWORD=hunter6 nova")
    module, _ = node(monkeypatch, [inspected("nova_compute", labels=labels)], [starts])
    assert "hunter" not in json.dumps(report(module))


@pytest.mark.parametrize("command", ["inspect", "show"])
def test_what_may_hold_secrets_is_kept_out_of_the_log(monkeypatch, command):
    module, commands = node(monkeypatch, [inspected("nova_compute")])
    levels = {}

    def run_all(argv, **options):
        levels.setdefault(command in argv, set()).add(options["output_loglevel"])
        return commands(argv, **options)

    module.__salt__["cmd.run_all"] = run_all
    module.report(GLOBS)
    assert levels[True] == {"quiet"}


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("tripleo_nova_compute.service", "/usr/bin/podman start nova_compute"),
        ("kolla-nova_compute-container.service", "/usr/bin/podman start -a nova_compute"),
        ("edpm_nova_compute.service", "/usr/libexec/edpm-start-podman-container nova_compute"),
        ("mine.service", "/usr/bin/docker start --attach nova_compute"),
        ("mine.service", "/usr/bin/podman run --rm --name nova_compute -e PASSWORD=x image"),
        ("mine.service", "/usr/bin/docker run --name=nova_compute image"),
    ],
)
def test_the_unit_that_starts_a_container_by_name(monkeypatch, name, command):
    module, _ = node(
        monkeypatch, [inspected("nova_compute")], [unit("a.service", "/bin/x"), unit(name, command)]
    )
    assert report(module)["containers"]["nova_compute"]["unit"] == name


def test_a_carrier_knows_better(monkeypatch):
    carried = {"nova_compute": {"unit": "x.service", "engine": "podman", "image": "registry.example/next:1"}}
    labels = {"PODMAN_SYSTEMD_UNIT": "old.service"}
    module, _ = node(
        monkeypatch,
        [inspected("nova_compute", labels=labels)],
        salt={"podman_command.carried": lambda: carried, "podman_api.carried": dict},
    )
    one = report(module)["containers"]["nova_compute"]
    assert (one["carrier"], one["unit"]) == ("podman_command", "x.service")
    assert one["definition"] == "registry.example/next:1"


def test_a_carrier_that_fails_is_named_and_the_rest_is_told(monkeypatch):
    def carried():
        raise CommandExecutionError("cannot read")

    module, _ = node(monkeypatch, [inspected("nova_compute")], salt={"foreign_quadlet.carried": carried})
    found = report(module)
    assert found["trouble"] == ["foreign_quadlet: cannot read"] and list(found["containers"]) == [
        "nova_compute"
    ]


def test_units_are_told_without_a_container_and_where_they_are_not_loaded(monkeypatch):
    module, commands = node(
        monkeypatch,
        units=[unit("edpm_a.service", active="failed"), unit("sshd.service")],
        files="edpm_a.service enabled\nedpm_b.service masked\nedpm_t@.service static\n",
    )
    shown = "\n".join(
        [unit("edpm_a.service", active="failed"), unit("edpm_b.service", load="masked", active="inactive")]
    )
    loaded = next(one for one in commands.answers if one.startswith(SHOW))
    commands.answers[loaded.replace("*.service", "edpm_a")] = shown
    units = report(module)["units"]
    assert {name: (one["load"], one["active"]) for name, one in units.items()} == {
        "edpm_a.service": ("loaded", "failed"),
        "edpm_b.service": ("masked", "inactive"),
    }


@pytest.fixture
def dockerd(monkeypatch, tmp_path):
    """A socket, as where dockerd runs."""
    monkeypatch.setattr(docker_api, "SOCKET", tmp_path / "docker.sock")
    docker_api.SOCKET.touch()


def test_docker_that_does_not_run_is_none(monkeypatch):
    module, commands = node(monkeypatch, [inspected("nova_compute")], programs=("podman", "docker"))
    found = report(module)
    assert list(found["engines"]) == ["podman"] and found["trouble"] == []
    assert not any(command[0] == "docker" for command in commands.ran)


@pytest.mark.usefixtures("dockerd")
def test_both_engines_are_told_each_container_once(monkeypatch):
    """A `docker` that is podman's wrapper tells of podman's containers again."""
    own, shared = inspected("web", docker=True), inspected("nova_compute")
    module, _ = node(
        monkeypatch,
        [shared],
        programs=("podman", "docker"),
        answers={
            "docker --version": "Docker version 27.1.1, build 6312585",
            "docker ps": "1\n2",
            "docker container inspect": json.dumps([own, shared]),
            "docker image inspect": json.dumps([{"Id": f"sha256:{'1' * 64}", "RepoDigests": [REFERENCE]}]),
        },
    )
    found = report(module)
    assert found["engines"] == {"podman": "5.4.2", "docker_engine": "27.1.1"}
    engines = {name: one["engine"] for name, one in found["containers"].items()}
    assert engines == {"nova_compute": "podman", "web": "docker_engine"}
    assert found["containers"]["web"]["digests"] == [REFERENCE]
    assert found["containers"]["web"]["image"] == "registry.example/nova-compute:18.0"


@pytest.mark.usefixtures("dockerd")
def test_an_engine_that_does_not_answer_is_named_and_the_other_is_told(monkeypatch):
    module, _ = node(
        monkeypatch,
        [inspected("nova_compute")],
        programs=("podman", "docker"),
        answers={
            "docker --version": "Docker version 27.1.1",
            "docker ps": {"retcode": 1, "stderr": "no daemon"},
        },
    )
    found = report(module)
    assert list(found["containers"]) == ["nova_compute"]
    assert found["trouble"] == ["docker_engine: docker ps --all --quiet --no-trunc: no daemon"]


def test_a_node_without_an_engine_and_one_without_containers(monkeypatch):
    module, commands = node(monkeypatch, programs=())
    assert report(module)["containers"] == {} and report(module)["engines"] == {}
    assert not any(line.startswith(("podman", "docker")) for line in commands.lines())
    module, commands = node(monkeypatch)
    assert report(module)["containers"] == {}
    assert not any("inspect" in line for line in commands.lines())


def test_an_image_that_is_gone_has_no_digest(monkeypatch):
    module, _ = node(
        monkeypatch,
        [inspected("nova_compute", image="2" * 64)],
        answers={"podman image inspect": {"retcode": 125, "stdout": "[]", "stderr": "no such image"}},
    )
    assert report(module)["containers"]["nova_compute"]["digests"] == []


def test_many_containers_are_asked_for_some_at_a_time(monkeypatch):
    module, commands = node(monkeypatch, [inspected(f"c{number}") for number in range(450)])
    report(module)
    assert sum(line.startswith("podman container inspect") for line in commands.lines()) == 3


def test_a_systemd_that_does_not_answer_is_a_named_error(monkeypatch):
    module, commands = node(monkeypatch)
    commands.answers = {SHOW: {"retcode": 1, "stderr": "Failed to connect to bus"}}
    with pytest.raises(
        CommandExecutionError, match=r"^NODE_ERROR: systemctl show: Failed to connect to bus$"
    ):
        module.report(GLOBS)


def with_packages(monkeypatch, family, **salt):
    installed = {"nova-api": ["2-1"], "python3-nova": ["2-1"], "bash": ["5"]}
    module, _ = node(
        monkeypatch, programs=(), os_family=family, salt={"package_set.installed": lambda: installed, **salt}
    )
    return module


@pytest.mark.parametrize(
    ("family", "built", "options", "vendor"),
    [
        ("Debian", {"nova-api": {"packager": "Debian OpenStack"}}, {"failhard": False}, "Debian OpenStack"),
        ("RedHat", {"nova-api": {"vendor": "CentOS"}}, {"attr": "vendor"}, "CentOS"),
        ("RedHat", {"nova-api": {"vendor": "(none)"}}, {"attr": "vendor"}, ""),
    ],
)
def test_packages_are_told_that_are_asked_for_and_who_built_them(monkeypatch, family, built, options, vendor):
    asked = []

    def info(*names, **keywords):
        asked.append((names, keywords))
        return built

    module = with_packages(monkeypatch, family, **{"pkg.info_installed": info})
    found = module.report(GLOBS, ["nova-*", "python3-nova", "keystone"])
    schema.read("cmp1", json.loads(json.dumps(found)))
    assert found["packages"] == {
        "nova-api": {"versions": ["2-1"], "vendor": vendor},
        "python3-nova": {"versions": ["2-1"], "vendor": ""},
    }
    assert asked == [(("nova-api", "python3-nova"), options)]
    assert module.report(GLOBS, ["absent"])["packages"] == {} and len(asked) == 1


def test_a_package_manager_that_fails_is_named_and_the_rest_is_told(monkeypatch):
    def fail():
        raise CommandExecutionError("cannot open Packages database")

    module = with_packages(monkeypatch, "RedHat", **{"package_set.installed": fail})
    found = module.report(GLOBS, ["nova-*"])
    assert found["packages"] == {} and found["trouble"] == ["packages: cannot open Packages database"]
