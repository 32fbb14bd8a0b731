import io

import pytest
from rich.console import Console

from openstack_rollout.errors import RolloutError
from openstack_rollout.records.stored import plain
from openstack_rollout.rollout import control
from openstack_rollout.screens.watch import Board, Screen
from tests.unit.simulated_fleet import Cloud, Master


@pytest.fixture
def paused(tmp_path):
    """A run that paused, with every event it fired."""
    master = Master(Cloud(controller=1, compute=2), tmp_path)
    master.cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"
    with pytest.raises(RolloutError):
        master.update()
    return master


def nodes(master):
    return {node: plain(record) for node, record in master.journal.nodes(master.run.id).items()}


def test_events_and_journal_tell_the_same(paused):
    run = paused.run
    by_events = Board({**plain(run), "state": "running"}, {})
    for _, data in paused.cloud.events:
        by_events.take(data)
    by_journal = Board(plain(run), nodes(paused))
    assert by_events.cells == by_journal.cells
    assert by_events.reasons == by_journal.reasons == {"compute1": ("CONTAINER_EXITED", "simulated")}
    assert by_events.cells["compute1"] == {"prefetch": "done", "ovn": "done", "services": "failed"}
    assert by_events.ended and by_journal.ended


def test_events_of_other_runs_are_passed_over(paused):
    board = Board({**plain(paused.run), "id": "another"}, {})
    assert all(board.take(data) is None for _, data in paused.cloud.events) and board.cells == {}


def show(paused, terminal):
    out = io.StringIO()
    board = Board({**plain(paused.run), "state": "running"}, {})
    with Screen(board, Console(file=out, force_terminal=terminal, width=120)) as screen:
        for _, data in paused.cloud.events:
            screen.show(board.take(data))
    return out.getvalue()


def test_plain_lines_when_it_is_no_terminal(paused):
    lines = show(paused, terminal=False).splitlines()
    assert any(
        line.endswith("services: compute1: apply failed: CONTAINER_EXITED: simulated") for line in lines
    )
    assert "paused: CONTAINER_EXITED" in lines[-1] and "\x1b" not in "".join(lines)


def test_a_table_in_a_terminal(paused):
    shown = show(paused, terminal=True)
    assert "compute1" in shown and "control_plane" in shown and "failed" in shown


def drawn(board, height=40, width=100):
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False)
    console.print(board.render(height, width))
    return console.file.getvalue().splitlines()


def test_nodes_stand_in_the_order_of_their_roles(paused):
    board = Board({**plain(paused.run), "state": "running"}, nodes(paused))
    names = [line.split()[1] for line in drawn(board) if line.startswith("│")]
    assert names == ["controller1", "compute1", "compute2"]


def test_a_message_is_no_markup_and_takes_the_whole_width(paused):
    board = Board({**plain(paused.run), "state": "running"}, {})
    words = "cannot open [/etc/nova] [bold] " * 20
    for node in ("compute1", "compute2"):
        place = {"node": node, "role": "compute", "stage": "ovn", "step": "apply"}
        told = {"status": "failed", "reason": "APPLY_FAILED", "message": words, "run": board.run["id"]}
        board.take({**place, **told})
    lines = [line for line in drawn(board) if line.startswith("compute")]
    assert len(lines) == 2 and all("[/etc/nova] [bold]" in line and 90 < len(line) <= 100 for line in lines)
    board.run["state"] = "paused"
    assert "".join(drawn(board)).count("[/etc/nova]") == 40


def test_the_end_tells_reason_and_remedy(paused):
    board = Board({**plain(paused.run), "reason": "PAUSED_BY_OPERATOR", "message": "run r1 is paused"}, {})
    text = " ".join(drawn(board))
    assert "PAUSED_BY_OPERATOR: run r1 is paused" in text and "salt-run rollout.resume" in text


def test_of_more_nodes_than_a_terminal_has_lines_those_that_matter_are_shown(paused):
    board = Board({**plain(paused.run), "state": "running"}, {})
    for number in range(1, 101):
        place = {"node": f"compute{number}", "role": "compute", "stage": "ovn", "step": "verify"}
        board.take({**place, "run": board.run["id"], "status": "started" if number == 77 else "succeeded"})
    lines = drawn(board, height=20)
    assert len(lines) <= 20 and any("compute77" in line for line in lines)
    assert any("and 87 more" in line for line in lines)


def waiting(board, nodes, message="compute2: volumes are worked on", at=0.0):
    place = {"run": board.run["id"], "stage": "ovn", "node": "-", "step": "gate", "status": "waiting"}
    return board.take({**place, "reason": "WORK_IN_HAND", "message": message, "nodes": nodes, "at": at})


def starts(board, node):
    place = {"node": node, "role": "compute", "stage": "ovn", "step": "apply", "status": "started"}
    board.take({**place, "run": board.run["id"]})


def test_what_waits_and_why_is_told_until_it_goes(paused):
    board = Board({**plain(paused.run), "state": "running"}, {})
    said = waiting(board, ["compute2"])
    assert said == "ovn: waits: WORK_IN_HAND: compute2: volumes are worked on"
    starts(board, "compute1")
    (line,) = [line for line in drawn(board) if line.startswith("waits since ")]
    assert line.endswith("WORK_IN_HAND: compute2: volumes are worked on")
    starts(board, "compute2")
    assert not [line for line in drawn(board) if line.startswith("waits")]


def test_a_question_that_a_late_watcher_finds_is_told(tmp_path):
    master = Master(Cloud(controller=1, compute=2), tmp_path)
    seen = []

    def look():
        if master.run and master.run.questions:
            board = Board(plain(master.run), nodes(master))
            seen.append(" ".join(drawn(board)))
            control.confirm(master.journal, master.lock)

    master.before_poll = look
    master.update(confirm="stage")
    assert "waits since" in seen[0] and "CONFIRMATION: a yes is waited for before ovn" in seen[0]


def test_the_estimated_end_has_a_line_of_its_own(paused):
    board = Board({**plain(paused.run), "state": "running"}, nodes(paused))
    board.run["estimate"] = {"seconds": 5400.0, "end": 1_796_000_000.0, "assumed": True}
    (line,) = [line for line in drawn(board, width=80) if line.startswith("about 1 h 30 min left")]
    assert "until 2026-11-30 00:53 UTC" in line


@pytest.mark.parametrize("width", [60, 80])
def test_it_fits_a_narrow_terminal_and_every_word_is_there_without_a_colour(paused, width):
    board = Board({**plain(paused.run), "state": "running"}, {})
    for number in (1, 2):
        name = f"compute-{number:03}.rack-7.cloud.example.net"
        place = {"node": name, "role": "compute", "run": board.run["id"]}
        for stage in ("prefetch", "ovn"):
            board.take({**place, "stage": stage, "step": "verify", "status": "succeeded"})
        board.take({**place, "stage": "control_plane", "step": "heartbeat", "status": "started"})
        failed = {"status": "failed", "reason": "OVS_FAILED", "message": "a long story " * 20}
        board.take({**place, "stage": "services", "step": "apply", **failed})
    board.run["estimate"] = {"seconds": 5400.0, "end": 1_796_000_000.0, "assumed": True}
    waiting(board, [], "something that takes many words to say; " * 5)
    lines = drawn(board, width=width)
    assert all(len(line) <= width for line in lines)
    assert " ".join(" ".join(lines).split()).count("something that takes many words to say;") == 5
    if width == 80:
        (row,) = [line for line in lines if "compute-002" in line and "heartbeat" in line]
        assert row.split() == ["compute-002", "done", "done", "heartbeat", "failed"]
        for head in ("prefetch", "ovn", "control", "services", "ovs", "system"):
            assert any(head in line.split() for line in lines), head


def test_names_that_differ_behind_the_first_dot_only_stay_whole(paused):
    board = Board({**plain(paused.run), "state": "running"}, {})
    for name in ("cmp.a", "cmp.b"):
        starts(board, name)
    shown = " ".join(drawn(board, width=60))
    assert "cmp.a" in shown and "cmp.b" in shown


def test_a_name_is_no_markup(paused):
    board = Board({**plain(paused.run), "state": "running"}, {})
    for name in ("cmp[bold]", "cmp[/red]"):
        starts(board, name)
    for width in (60, 120):
        shown = " ".join(drawn(board, width=width))
        assert "cmp[bold]" in shown and "cmp[/red]" in shown


def test_a_long_name_leaves_room_for_the_words_of_its_stages(paused):
    board = Board({**plain(paused.run), "state": "running"}, {})
    for rack in (7, 9):  # two hosts of one name have to be told apart
        name = f"overcloud-novacompute-1.rack{rack}.datacentre-1.cloud.example.net"
        place = {"node": name, "role": "compute", "run": board.run["id"]}
        for stage in ("prefetch", "ovn", "control_plane"):
            board.take({**place, "stage": stage, "step": "verify", "status": "succeeded"})
        board.take({**place, "stage": "services", "step": "heartbeat", "status": "started"})
    rows = [line.split() for line in drawn(board, width=80) if "heartbeat" in line]
    assert [row[1:] for row in rows] == [["done", "done", "done", "heartbeat"]] * 2
    assert rows[0][0] != rows[1][0]


def test_the_end_tells_why_the_run_stopped_beside_what_was_wrong_with_nodes(paused):
    board = Board({**plain(paused.run), "state": "running"}, nodes(paused))
    board.run.update(state="paused", reason="ALERT_FIRING", message="gate compute:calm: NovaDown")
    text = " ".join(drawn(board))
    assert "compute1: CONTAINER_EXITED: simulated" in text
    assert "ALERT_FIRING: gate compute:calm: NovaDown" in text
