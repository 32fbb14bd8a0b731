"""Which addresses a node's keepalived may hold: of the file that the process itself reads."""

from __future__ import annotations

import pytest

from openstack_rollout.node import keepalived

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


def test_of_the_file_that_a_container_has(proc):
    process(proc, 7, files={"etc/keepalived/keepalived.conf": KOLLA})
    assert keepalived.addresses(proc) == {"10.0.0.250"}


def test_every_form_in_which_addresses_are_written(proc):
    process(proc, 7, files={"etc/keepalived/keepalived.conf": MANY})
    assert keepalived.addresses(proc) == {"10.0.0.1", "fd00::5", "192.0.2.7"}


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
    assert keepalived.addresses(proc) == {"10.0.0.1", "10.0.0.2"}


def test_that_of_a_router_of_neutron_is_not_the_nodes(proc):
    process(proc, 7, namespace="2", files={"etc/keepalived/keepalived.conf": KOLLA})
    process(proc, 8, name="haproxy", files={"etc/keepalived/keepalived.conf": KOLLA})
    assert keepalived.addresses(proc) == set()


def test_a_process_that_ends_and_a_file_that_is_not_there(proc):
    process(proc, 7)
    (proc / "8").mkdir()
    (proc / "8" / "comm").write_text("keepalived\n")
    assert keepalived.addresses(proc) == set()
