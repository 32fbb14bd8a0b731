"""What the benchmark of machines reads: a control group's CPU, and how long a node's jobs took."""

from tests.bench import small_update


def event(step, status, second):
    return {"step": step, "status": status, "_stamp": f"2026-12-01T00:00:{second:02}.500000"}


def test_the_cpu_of_a_control_group():
    assert small_update.cpu_seconds("usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n") == 2.5


def test_the_jobs_of_all_rounds_of_a_stage_count():
    events = [
        *(event("apply", "started", 1), event("apply", "succeeded", 11), event("verify", "started", 11)),
        *(event("verify", "succeeded", 20), event("apply", "started", 21), event("apply", "succeeded", 24)),
        event("apply", "started", 30),  # that one failed
    ]
    assert small_update.job_seconds(events) == 13.0


def test_what_is_measured_has_seconds_by_the_wall_and_of_cpu(tmp_path):
    def used(micro):
        (tmp_path / "cpu.stat").write_text(f"usage_usec {micro}\n")

    figures = {}
    used(1_000_000)
    with small_update.measured(figures, "update", tmp_path):
        used(4_000_000)
    assert figures["update_cpu_s"] == 3.0 and figures["update_s"] >= 0
