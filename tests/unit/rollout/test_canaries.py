"""Canaries of a role: alone, soaked, measured again, and only then the rest."""

from tests.unit.simulated_fleet import refusal

CLOUD = {"controller": 3, "gateway": 2, "compute": 4, "storage": 1}


def test_canaries_go_alone_soak_and_are_measured_again(cloud, master):
    cloud.policy("compute", batch=4, canary=1, soak=600)
    before = cloud.now
    master.update()
    applying = [
        data
        for data in cloud.flown()
        if data["step"] == "apply" and data["status"] == "started" and data["stage"] == "services"
    ]
    compute = [data["in_flight"] for data in applying if data["role"] == "compute"]
    assert compute[0] == ["compute1"] and compute[-1] == ["compute2", "compute3", "compute4"]
    assert cloud.statuses("verify", stage="services").count("compute1") == 2
    assert cloud.now - before > 4 * 600


def test_a_canary_that_falls_ill_while_soaking_stops_the_rest(cloud, master):
    cloud.policy("compute", batch=4, canary=1, soak=600, max_failures=3)
    began = cloud.now

    def fall_ill():
        if "compute1" in cloud.statuses("verify", "succeeded", "ovn") and cloud.now > began:
            cloud.nodes["compute1"].health = ["container ovn_controller: unhealthy"]

    master.before_poll = fall_ill
    error = refusal(master.update)
    assert error.reason == "NOT_AT_RELEASE" and "compute1" in error.message
    assert "compute2" not in cloud.statuses("apply")


def test_a_canary_of_the_next_group_is_not_taken_through_the_stage_again_with_it(cloud, master):
    cloud.policy("compute", groups={"a": "compute1", "b": "compute2 or compute3"}, canary=2, soak=60)
    assert master.update()["state"] == "completed"
    applied = [node for node in cloud.statuses("apply", stage="services") if node.startswith("compute")]
    assert applied == ["compute1", "compute2", "compute3", "compute4"]
