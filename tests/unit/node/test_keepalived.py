"""Which addresses a node's keepalived may hold: of the file that the process itself reads."""

from __future__ import annotations

import os

import pytest

from openstack_rollout.node import keepalived
from openstack_rollout.node.keepalived import Found

KOLLA = """
vrrp_script check_alive {
    script "/check_alive.sh"
}

vrrp_instance kolla_internal_vip_51 {
    state BACKUP
    nopreempt
    interface eth0
    virtual_router_id 51
    unicast_src_ip 10.0.0.11
    unicast_peer {
        10.0.0.12
        10.0.0.13
    }
    virtual_ipaddress {
        10.0.0.250 dev eth0
    }
    authentication {
        auth_type PASS
        auth_pass 1.2.3.4
    }
}
"""
MANY = """
! a comment with 10.9.9.9
vrrp_instance one {
    virtual_ipaddress { 10.0.0.1/24 brd 10.0.0.255 label "a b" # 10.9.9.8
        fd00::0:5/64 dev eth1
    }
    virtual_ipaddress_excluded
    {
        192.0.2.7/32
    }
    virtual_routes {
        src 10.0.0.1 to 203.0.113.0/24 via 203.0.113.1
    }
}
"""


@pytest.fixture
def proc(tmp_path):
    made = tmp_path / "proc"
    process(made, "self", "python3")
    return made


def process(proc, number, name="keepalived", arguments=("keepalived",), namespace="1", files=None):
    place = proc / str(number)
    (place / "ns").mkdir(parents=True)
    (place / "ns" / "net").symlink_to(f"net:[{namespace}]")
    (place / "comm").write_text(f"{name}\n")
    (place / "cmdline").write_bytes(b"\0".join(word.encode() for word in arguments) + b"\0")
    for path, text in (files or {}).items():
        (place / "root" / path).parent.mkdir(parents=True, exist_ok=True)
        (place / "root" / path).write_text(text)


def found(proc):
    return keepalived.found(proc.parent)


def test_of_the_file_that_a_container_has(proc):
    process(proc, 7, files={"etc/keepalived/keepalived.conf": KOLLA})
    assert found(proc) == Found(frozenset({"10.0.0.250"}), True)


def test_every_form_in_which_addresses_are_written(proc):
    process(proc, 7, files={"etc/keepalived/keepalived.conf": MANY})
    assert found(proc).addresses == {"10.0.0.1", "fd00::5", "192.0.2.7"}


@pytest.mark.parametrize(
    "option", [["-f", "/x/k.conf"], ["-f/x/k.conf"], ["--use-file", "/x/k.conf"], ["--use-file=/x/k.conf"]]
)
def test_another_file_and_what_it_includes(proc, option):
    files = {
        "x/k.conf": "include d/*.conf\ninclude /y/two.conf\n",
        "x/d/one.conf": "vrrp_instance a { \n virtual_ipaddress {\n 10.0.0.1\n }\n}\n",
        "y/two.conf": "vrrp_instance b { \n virtual_ipaddress {\n 10.0.0.2\n }\n}\ninclude /y/two.conf\n",
        "etc/keepalived/keepalived.conf": KOLLA,
    }
    process(proc, 7, arguments=["keepalived", "--dont-fork", *option], files=files)
    assert found(proc).addresses == {"10.0.0.1", "10.0.0.2"}


def test_that_of_a_router_of_neutron_is_not_the_nodes(proc):
    process(proc, 7, namespace="2", files={"etc/keepalived/keepalived.conf": KOLLA})
    process(proc, 8, name="haproxy", files={"etc/keepalived/keepalived.conf": KOLLA})
    assert found(proc) == Found()


def test_a_process_that_ends_meanwhile(proc):
    (proc / "8").mkdir()
    (proc / "8" / "comm").write_text("keepalived\n")
    assert found(proc) == Found()


def block(*lines):
    return "vrrp_instance a {\n virtual_ipaddress {\n" + "\n".join(lines) + "\n }\n}\n"


HERE = os.uname().nodename


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("$VIP=10.0.0.5 # the VIP\n" + block("$VIP dev eth0"), {"10.0.0.5"}),
        ("$VIP = 10.0.0.5\n" + block("${VIP} dev eth0", "10.0.0.6"), {"10.0.0.5", "10.0.0.6"}),
        (
            "$DEV=eth0\n" + block("10.0.0.5/24 dev ${DEV}", "10.0.0.6/24 dev ${DEV}"),
            {"10.0.0.5", "10.0.0.6"},
        ),
        ("$ALL=10.0.0.5 dev eth0\\\n 10.0.0.6 dev eth0\n" + block("$ALL"), {"10.0.0.5", "10.0.0.6"}),
        (block("10.0.0.5/32 dev eth0 peer 10.0.0.9"), {"10.0.0.5"}),
        (block("10.0.0.5/24 broadcast 10.0.0.255"), {"10.0.0.5"}),
        (block(f"@{HERE} 10.0.0.5", "@other 10.0.0.6"), {"10.0.0.5"}),
        (block(f"@^{HERE} 10.0.0.7", "@^other 10.0.0.8"), {"10.0.0.8"}),
        (block("10.0.0.5/32 dev lo", "10.0.0.6"), {"10.0.0.6"}),
        ("virtual_server 10.0.0.5 80 {\n delay_loop 6\n}\n", set()),
    ],
)
def test_what_is_written_otherwise(proc, text, addresses):
    process(proc, 7, files={"etc/keepalived/keepalived.conf": text})
    assert found(proc).addresses == addresses and not found(proc).unknown


@pytest.mark.parametrize(
    "include",
    [
        *("include conf.d/*", "includer conf.d/*.conf", "includewb conf.d/*.conf"),
        "include /etc/keepalived/conf.d/{a,b}.conf",
    ],
)
def test_what_is_included(proc, include):
    files = {
        "etc/keepalived/keepalived.conf": include + "\n" + block("10.0.0.1"),
        "etc/keepalived/conf.d/a.conf": block("10.0.0.2"),
        "etc/keepalived/conf.d/b.conf": block("10.0.0.3"),
        "etc/keepalived/conf.d/inner/c.conf": block("10.0.0.4"),
    }
    process(proc, 7, files=files)
    assert found(proc).addresses == {"10.0.0.1", "10.0.0.2", "10.0.0.3"}


@pytest.mark.parametrize(
    "options",
    [
        ["-nlDf", "/k.conf"],
        ["-nldf/k.conf"],
        ["-D", "-p", "/f", "--use-fil", "/k.conf"],
        ["-f", "/k.conf", "-P"],
    ],
)
def test_the_file_among_other_options(proc, options):
    process(proc, 7, arguments=["keepalived", *options], files={"k.conf": block("10.0.0.1")})
    assert found(proc).addresses == {"10.0.0.1"}


def test_whose_conditions_count_is_an_option(proc):
    files = {"etc/keepalived/keepalived.conf": block("@one 10.0.0.1", "@two 10.0.0.2")}
    process(proc, 7, arguments=["keepalived", "-n", "-i", "two"], files=files)
    assert found(proc).addresses == {"10.0.0.2"}


def test_what_cannot_be_read_is_not_nothing(proc):
    process(proc, 7)
    assert "keepalived.conf" in found(proc).unknown and found(proc).running
    process(proc, 8, files={"etc/keepalived/keepalived.conf": block("~SEQ(x, 1, 3) 10.0.0.$x")})
    assert found(proc).unknown


def test_one_that_does_not_run_may_have_addresses_all_the_same(proc):
    place = proc.parent / "etc/keepalived/keepalived.conf"
    place.parent.mkdir(parents=True)
    place.write_text(block("10.0.0.1"))
    assert found(proc) == Found()  # nobody starts it
    wants = proc.parent / "etc/systemd/system/multi-user.target.wants/keepalived.service"
    wants.parent.mkdir(parents=True)
    wants.write_text("")
    assert found(proc) == Found(frozenset({"10.0.0.1"}), False)


def test_that_of_kolla_does_not_run(proc):
    place = proc.parent / "etc/kolla/keepalived/keepalived.conf"
    place.parent.mkdir(parents=True)
    place.write_text(KOLLA)
    assert found(proc) == Found(frozenset({"10.0.0.250"}), False)
