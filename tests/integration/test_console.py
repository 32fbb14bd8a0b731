"""What real salt-run processes print, and how they exit. A refusal needs no master: none runs here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPO = Path(__file__).resolve().parents[2]
SALT_RUN = Path(sys.executable).with_name("salt-run")
WRONG_STEP = """
wrong: {salt.runner: [{name: rollout.run}, {stage: servces}, {failhard: True}]}
never: {test.succeed_with_changes: [{require: [{salt: wrong}]}]}
"""


@pytest.fixture(scope="module")
def salt_run(tmp_path_factory):
    """Run salt-run on the configuration of a master whose catalogue is empty; the completed process."""
    home = tmp_path_factory.mktemp("master")
    for folder in ("pillar/openstack", "srv", "var/cache/salt/master/proc"):
        (home / folder).mkdir(parents=True)
    configuration = {
        "root_dir": str(home),
        "pki_dir": "pki",
        "file_roots": {"base": [str(home / "srv"), str(REPO / "salt"), str(REPO / "etc/roots")]},
        "pillar_roots": {"base": [str(home / "pillar"), str(REPO / "pillar")]},
        "runner_dirs": [str(REPO / "_runners")],
        "utils_dirs": [str(REPO / "_utils")],
        "outputter_dirs": [str(REPO / "_output")],
    }
    (home / "master").write_text(yaml.safe_dump(configuration))
    page = {"openstack": {"target_version": "1.0.1", "roles": {"compute": "cmp*"}}}
    (home / "pillar/openstack/init.sls").write_text(yaml.safe_dump(page))
    (home / "srv/wrong.sls").write_text(WRONG_STEP)

    def run(*arguments):
        command = [str(SALT_RUN), "-c", str(home), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    return run


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["release.list", "x=1"], "release.list: no argument x: it takes none."),
        (["rollout.run", "stag=ovn"], "rollout.run: no argument stag: did you mean stage?"),
        (["workload.drain"], "workload.drain: argument node is missing."),
    ],
)
def test_wrong_use_is_one_line_and_exit_status_2(salt_run, words, line):
    done = salt_run(*words)
    correct = "Correct the argument that the message names."
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout == f"WRONG_ARGUMENT: {line} {correct}\n"


def test_success_is_exit_status_0(salt_run):
    done = salt_run("workload.drained")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_refusal_is_one_line_with_its_remedy_and_nothing_beside(salt_run):
    done = salt_run("release.check")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("EMPTY_CATALOGUE: openstack:releases: ")
    assert done.stdout.endswith("Add a release file under pillar/openstack/releases/.\n")
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("orchestration", "line"),
    [
        ("orch.update", "EMPTY_CATALOGUE: openstack:releases: "),
        ("wrong", "WRONG_ARGUMENT: servces is not a stage, "),
    ],
)
def test_a_refusal_and_a_wrong_use_fail_the_step_of_an_orchestration(salt_run, orchestration, line):
    done = salt_run("state.orchestrate", orchestration)
    assert (done.returncode, done.stderr) == (1, "")
    assert line in done.stdout and "Traceback" not in done.stdout
    assert "Succeeded: 0" in done.stdout and "Total states run:     1" in done.stdout
