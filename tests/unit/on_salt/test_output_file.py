import json
import os

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import output_file
from openstack_rollout.on_salt.refusal import Refusal
from tests.unit.loading import load
from tests.unit.simulated_fleet import Cloud, Master


def refusal(output):
    with pytest.raises(RolloutError) as refused:
        output_file.wanted(output)
    assert refused.value.reason == "WRONG_ARGUMENT" and "\n" not in str(refused.value)
    return refused.value.message


def test_a_file_is_replaced_whole_and_a_link_is_followed(tmp_path):
    (tmp_path / "report.html").write_text("old")
    (tmp_path / "link").symlink_to("report.html")
    path = output_file.wanted(str(tmp_path / "link"))
    assert output_file.write(path, "new", 0o640) == str(tmp_path / "report.html")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "report.html").read_text() == "new"
    assert (tmp_path / "report.html").stat().st_mode & 0o777 == 0o640
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "report.html"]


def test_what_is_no_place_for_a_file_is_refused(tmp_path):
    assert "there is no directory" in refusal(str(tmp_path / "no" / "report.html"))
    assert "it is a directory" in refusal(str(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    assert "it is no file" in refusal(str(tmp_path / "pipe"))
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    refusal(str(tmp_path / "a"))
    refusal("re\0port")


def test_a_disk_that_refuses_is_one_line(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output_file.state_file, "replace", full)
    with pytest.raises(RolloutError, match="cannot be written: No space left on device"):
        output_file.write(tmp_path / "report.html", "new", 0o640)


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """The runner rollout over the journal of an update."""
    master = Master(Cloud(controller=1, compute=2), tmp_path)
    master.update()
    runner = load("runners", "rollout_history")
    monkeypatch.setattr(runner, "_opts", dict)
    monkeypatch.setattr(runner.wiring, "journal", lambda opts: master.journal)
    monkeypatch.setattr(runner.wiring, "lock", lambda opts: master.lock)
    return runner


@pytest.mark.parametrize(
    ("form", "begins"),
    [("text", "run 1970"), ("json", "{\n"), ("markdown", "# ✔ Completed"), ("html", "<!DOCTYPE html>")],
)
def test_a_report_is_written_in_every_form(runner, tmp_path, form, begins):
    told = runner.report(format=form, output=str(tmp_path / "report"))["data"]
    text = (tmp_path / "report").read_text(encoding="utf-8")
    assert told["written"] == str(tmp_path / "report") and text.startswith(begins)
    if form == "json":
        assert json.loads(text)["run"]["id"] == told["run"]


def test_a_report_is_printed_without_a_file(runner):
    assert runner.report()["outputter"] == "rollout" and runner.report(format="json")["outputter"] == "json"
    assert runner.report(format="html")["data"]["text"].startswith("<!DOCTYPE html>")
    assert load("output", "rollout").output(runner.report(format="markdown")["data"]).startswith("# ✔")


def test_a_report_that_cannot_be_is_refused(runner, tmp_path):
    for wrong in ({"format": "pdf"}, {"output": str(tmp_path / "no" / "x")}, {"format": 3}):
        assert runner.report(**wrong)["Error"].startswith("WRONG_ARGUMENT: "), wrong
    with pytest.raises(Refusal, match="NO_RUN"):
        runner.report("20200101-000000-0000")


def test_no_secret_of_a_message_is_in_any_form(runner, tmp_path, monkeypatch):
    journal = runner.wiring.journal({})
    run = journal.latest()
    run.message = "mysql+pymysql://nova:hunter2@10.0.0.1/nova"
    journal.save(run)
    for form in ("text", "json", "markdown", "html"):
        runner.report(format=form, output=str(tmp_path / form))
        assert "hunter2" not in (tmp_path / form).read_text(encoding="utf-8")
    assert "hunter2" not in str(runner.report())


@pytest.fixture
def metrics(runner, monkeypatch):
    """The runner's metrics over the same journal."""
    measuring = load("runners", "rollout_metrics")
    monkeypatch.setattr(measuring.wiring, "master_options", dict)
    return measuring


def test_metrics_are_written_for_another_user_to_read(metrics, tmp_path):
    path = tmp_path / "rollout.prom"
    assert metrics.metrics(output=str(path))["data"]["written"] == str(path)
    assert path.stat().st_mode & 0o777 == 0o644 and path.read_text().endswith("# EOF\n")
    assert metrics.metrics()["data"]["text"].startswith("# HELP openstack_rollout_run_info ")


@pytest.mark.parametrize("by", [KeyboardInterrupt, SystemExit])
def test_metrics_are_written_again_and_again_until_somebody_ends_that(metrics, tmp_path, monkeypatch, by):
    """As systemd does, whose unit would count as failed."""
    path, slept = tmp_path / "rollout.prom", []

    def sleep(seconds):
        slept.append((seconds, path.read_text()))
        path.unlink()
        if len(slept) == 3:
            raise by

    monkeypatch.setattr(metrics.time, "sleep", sleep)
    assert metrics.metrics(output=str(path), every=15)["data"]["written"] == str(path)
    assert [seconds for seconds, _ in slept] == [15.0] * 3 and all(text for _, text in slept)


def test_metrics_that_cannot_be_are_refused(metrics, tmp_path):
    there = str(tmp_path / "rollout.prom")
    for wrong in ({"every": 5}, {"output": there, "every": 0}, {"output": f"{there}.txt"},
                  {"output": str(tmp_path / "no" / "rollout.prom")}):  # fmt: skip
        assert metrics.metrics(**wrong)["Error"].startswith("WRONG_ARGUMENT: "), wrong
