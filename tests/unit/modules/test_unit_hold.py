"""unit_hold: systemd does not start a held unit again, and nothing of the hold is left."""

from __future__ import annotations

from tests.unit.loading import load


def hold(folder):
    reloads = []
    module = load("modules", "unit_hold", salt={"quadlet.reload": lambda: reloads.append(1)})
    module.FOLDER = folder
    return module, reloads


def test_a_held_unit_is_not_started_again_until_it_is_released(tmp_path):
    module, reloads = hold(tmp_path)
    module.hold(["ovn_controller.service", "edpm_ovn_controller"])
    assert {path.parent.name for path in tmp_path.rglob("*.conf")} == {
        "ovn_controller.service.d",
        "edpm_ovn_controller.service.d",
    }
    # the last file of all folders decides, and systemctl edit writes override.conf
    assert all(path.name > "override.conf" for path in tmp_path.rglob("*.conf"))
    assert all(path.read_text() == "[Service]\nRestart=no\n" for path in tmp_path.rglob("*.conf"))
    module.release(["ovn_controller", "edpm_ovn_controller"])
    assert list(tmp_path.iterdir()) == [] and len(reloads) == 2


def test_what_is_not_held_is_left_alone(tmp_path):
    other = tmp_path / "a.service.d" / "other.conf"
    other.parent.mkdir()
    other.write_text("[Service]\n")
    module, reloads = hold(tmp_path)
    module.release(["a.service", "b.service"])
    assert other.exists() and reloads == []
    module.hold(["a.service"])
    module.release(["a.service"])
    assert list(tmp_path.rglob("*.conf")) == [other]
