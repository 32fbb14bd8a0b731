"""What happens to minions, keys, pillar and the master's disk and clock while a run is under way."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.integration import daemons
from tests.integration.simulated_cloud import PATIENCE, SimulatedCloud

ROOM = 24 << 20  # bytes of the master's cache
#: On a busy machine, none of these minions is silent but those that are stopped.
PATIENT = {"controller": {"silence": 120}, "compute": {"silence": 120}}


@pytest.fixture(scope="module")
def cloud(salt_factories, tmp_path_factory):
    """A cloud whose master has a small file system of its own for its cache."""
    cloud = SimulatedCloud(salt_factories, tmp_path_factory.mktemp("pillar"))
    cache = Path(cloud.master.config["cachedir"])
    cache.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=0700", "cache", cache], check=True)
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.stop()
        subprocess.run(["umount", "--lazy", cache], check=True)


def paused(cloud, *command):
    """What a command says that has to fail: one line, and no traceback."""
    done = cloud.run(*command)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


@pytest.mark.long  # SUITE=field has it on machines, for 40 s
def test_a_minion_that_is_held_up_is_waited_for(cloud):
    cloud.fresh(cmp1={"seconds": {"ovn": 10}}, policies=PATIENT)
    with cloud.events() as events:
        update = cloud.popen("state.orchestrate", "orch.ovn")
        events.until(update, stage="ovn", node="cmp1", step="apply", status="started")
        cloud.until_begun("cmp1", "ovn")
        cloud.hold_up("cmp1", 45)
        output, _ = update.communicate(timeout=PATIENCE)
    assert update.returncode == 0, output
    assert cloud.at("cmp1") == cloud.at("cmp2") == {"ovn": "1.0.1"}


@pytest.mark.long  # SUITE=field: a digest is edited in mid-run
def test_a_release_that_is_edited_in_mid_stage_stops_before_the_next_node(cloud):
    slow, tolerant = {"seconds": {"ovn": 8}}, {**PATIENT, "compute": {"silence": 120, "max_failures": 1}}
    cloud.fresh(cmp1=slow, cmp2=slow, policies=tolerant)
    with cloud.events() as events:
        update = cloud.popen("state.orchestrate", "orch.ovn")
        events.until(update, stage="ovn", node="cmp1", step="apply", status="started")
        cloud.until_begun("cmp1", "ovn")  # it has read its pillar
        releases = cloud.declared()["releases"]
        releases["1.0.1"]["images"]["ovn_image"] = releases["1.0.2"]["images"]["ovn_image"]
        cloud.openstack(releases=releases, policies=tolerant)
        output, _ = update.communicate(timeout=PATIENCE)
        events.drain()
    assert update.returncode == 1 and "TARGET_CHANGED: " in output, output
    assert not [event for event in events.seen if event["node"] == "cmp2" and event["step"] == "apply"]
    assert cloud.at("cmp1") == {"ovn": "1.0.1"} and cloud.at("cmp2") == {}
    run = cloud.json("rollout.status")["run"]
    assert (run["state"], run["reason"]) == ("paused", "TARGET_CHANGED")


@pytest.mark.long  # SUITE=field: a system run beside a paused update
def test_a_run_of_another_stage_is_refused_while_an_update_is_paused(cloud):
    cloud.fresh(cmp1={"fail": {"ovn": "CONTAINER_EXITED: exited with 1"}}, policies=PATIENT)
    paused(cloud, "state.orchestrate", "orch.update")
    run = cloud.json("rollout.status")["run"]
    said = paused(cloud, "state.orchestrate", "orch.system")
    assert f"RUN_UNFINISHED: run {run['id']} (orch.update) is paused" in said
    after = cloud.json("rollout.status")["run"]
    assert after | {"estimate": None} == run | {"estimate": None}  # which goes by the clock
    cloud.node("cmp1", at=cloud.at("cmp1"))
    done = cloud.run("rollout.resume")
    assert done.returncode == 0 and run["id"] in done.stdout, done.stdout


def test_a_full_cache_of_the_master_lets_those_in_flight_finish(cloud):
    slow = {"seconds": {"ovn": 12}}
    cloud.fresh(cmp1=slow, cmp2=slow, policies=PATIENT)
    with cloud.events() as events:
        update = cloud.popen("state.orchestrate", "orch.ovn")
        events.until(update, stage="ovn", node="cmp1", step="apply", status="started")
        cloud.until_begun("cmp1", "ovn")
        with fills(Path(cloud.master.config["cachedir"])):
            output, _ = update.communicate(timeout=PATIENCE)
            assert update.returncode == 1 and "Traceback" not in output
            assert "JOURNAL_FAILED: " in output and cloud.at("cmp1") == {"ovn": "1.0.1"}
            assert cloud.at("cmp2") == {}, "nothing new was started"
            # Salt itself cannot write down that a runner begins, and says so in its own way.
            assert cloud.run("state.orchestrate", "orch.ovn").returncode != 0 and cloud.at("cmp2") == {}
    # The return of the job in flight was lost: the next run waits for it as for any sign of life.
    cloud.openstack(policies={role: {"silence": 15} for role in PATIENT})
    done = cloud.run("state.orchestrate", "orch.ovn")
    assert done.returncode == 0, done.stdout
    assert cloud.at("cmp2") == {"ovn": "1.0.1"}


class fills:
    """Leave no room at all on a file system, for as long as it is entered."""

    def __init__(self, folder: Path):
        self._file = folder / "filler"

    def __enter__(self):
        with self._file.open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * 4096)
            except OSError:
                return self

    def __exit__(self, *_):
        self._file.unlink()


def test_a_run_is_known_by_its_process_when_the_clock_is_stepped(cloud, tmp_path):
    cloud.fresh(cmp1={"seconds": {"ovn": 20}}, policies=PATIENT)
    stat = tmp_path / "stat"
    stat.write_text(
        "".join(
            f"btime {int(line.split()[1]) + 60}\n" if line.startswith("btime ") else line
            for line in Path("/proc/stat").read_text().splitlines(keepends=True)
        )
    )
    with cloud.events() as events:
        update = cloud.popen("state.orchestrate", "orch.ovn")
        events.until(update, stage="ovn", node="cmp1", step="apply", status="started")
        # What a clock that is stepped moves for every other process: the time at which the machine booted.
        stepped = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /proc/stat && exec "$@"', str(stat)]
        second = subprocess.run(
            [*stepped, *cloud.command("state.orchestrate", "orch.ovn")],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        output, _ = update.communicate(timeout=PATIENCE)
    assert second.returncode == 1 and f"holds the lock: process {update.pid} " in second.stdout, second
    assert update.returncode == 0, output


@pytest.mark.long  # SUITE=field has it on machines
def test_a_node_whose_key_was_deleted_is_named(cloud):
    cloud.fresh(policies=PATIENT)
    assert cloud.run("state.orchestrate", "orch.ovn").returncode == 0
    pki = Path(cloud.master.config["pki_dir"]) / "minions"
    kept = (pki / "cmp2").read_bytes()
    daemons.stop(cloud.minions["cmp2"])
    assert cloud.master.salt_key_cli().run("--yes", "--delete=cmp2").returncode == 0
    named = {"cmp2": {"role": "compute", "key": "deleted"}}
    try:
        assert cloud.json("rollout.status")["gone"] == named
        assert cloud.json("rollout.plan")["gone"] == named
        assert "cmp2: gone: " in cloud.run("rollout.plan").stdout
        done = cloud.run("state.orchestrate", "orch.ovn")
        assert done.returncode == 0, done.stdout
        assert cloud.json("rollout.report")["run"]["gone"] == named
    finally:
        (pki / "cmp2").write_bytes(kept)
        cloud.minions["cmp2"].start()


def test_a_minion_whose_key_was_made_anew_is_named(cloud):
    cloud.fresh(policies=PATIENT)
    minion = cloud.minions["cmp2"]
    daemons.stop(minion)
    for key in Path(minion.config["pki_dir"]).glob("minion.p*"):
        key.unlink()
    salt_minion = [Path(os.sys.executable).with_name("salt-minion"), "-c", minion.config_dir]
    denied = subprocess.Popen(salt_minion, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE
        while "cmp2" not in cloud.master.salt_key_cli().run("--list=denied").data.get("minions_denied", ()):
            assert time.monotonic() < until, "its key was not denied"
        begun = time.monotonic()
        assert paused(cloud, "rollout.run", "ovn").startswith("KEY_DENIED: cmp2: ")
        assert cloud.at("cmp1") == {}
        assert cloud.json("rollout.status")["nodes"]["cmp2"]["reason"] == "KEY_DENIED"
        assert time.monotonic() - begun < PATIENCE
    finally:
        denied.terminate()
        denied.wait()
