import pytest

from openstack_rollout.screens.masking import masked


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("https://admin:s3cret@registry.example/v2", "https://…@registry.example/v2"),
        ("mysql+pymysql://nova:pw@10.0.0.1/nova: refused", "mysql+pymysql://…@10.0.0.1/nova: refused"),
        ("password=hunter2, retried", "password=…, retried"),
        ('{"admin_password": "hunter2", "a": 1}', '{"admin_password": "…", "a": 1}'),
        ("X-Auth-Token: gAAAAB12 was refused", "X-Auth-Token: … was refused"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer …"),
        (
            "rabbit://nova:hunter2@10.0.0.1:5672,nova:hunter2@10.0.0.2:5672//: no route",
            "rabbit://…@10.0.0.2:5672//: no route",
        ),
        ("mysql://nova:hun@ter2@db/nova: refused", "mysql://…@db/nova: refused"),
        ("password: 'correct horse', retried", "password: '…', retried"),
        ('"passphrase": "a \\" b", "a": 1', '"passphrase": "…", "a": 1'),
        ("podman login --password hunter2 registry", "podman login --password … registry"),
        ("skopeo copy --dest-creds me:hunter2 a b", "skopeo copy --dest-creds … a b"),
        ("mysql --password --user root", "mysql --password --user root"),
        ("OS_PASSWORD=a transport_url=rabbit://u:p@h", "OS_PASSWORD=… transport_url=rabbit://…@h"),
    ],
)
def test_what_looks_like_a_secret_is_left_out(said, shown):
    assert masked({"message": [said]}) == {"message": [shown]}


@pytest.mark.parametrize(
    "said",
    [
        "compute1 at 10:15: token ring",
        "registry.example/a@sha256:12",
        "a@b.c",
        # Where a secret is, is none: who has to mend it looks for it there.
        "openstack:monitoring:prometheus:token: sdb://vault/a cannot be read",
        "password: 'sdb://vault/a', token=sdb://vault/b",
    ],
)
def test_the_rest_stays(said):
    assert masked(said) == said


def test_other_data_stays():
    assert masked({"a": None, "b": 1.5, "c": [True]}) == {"a": None, "b": 1.5, "c": [True]}
