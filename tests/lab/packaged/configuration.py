"""The configuration of the packaged cloud, where Debian's packages read it.

It is that of the three controllers with real clusters, with Nova and Neutron beside them, and with few
workers: two cores are shared by all.
"""

from __future__ import annotations

from tests.lab import settings
from tests.lab.clusters import configuration as clusters
from tests.lab.openstack import configuration

VIP = clusters.VIP
KEYSTONE = f"http://{VIP}:{clusters.PORTS['keystone']}/v3"
_MEMBER_CHECK = settings.HERE / "files" / "clusters" / "image" / "member-check"
#: Nova's hypervisor, a file that is of no package
_DRIVER = settings.HERE / "files" / "openstack" / "driver.py"
_ML2 = "etc/neutron/plugins/ml2/"
#: a file of the single controller's → where the packages read it
_PLACES = {
    "etc/neutron/ml2.ini": f"{_ML2}ml2_conf.ini",
    "etc/neutron/openvswitch_agent.ini": f"{_ML2}openvswitch_agent.ini",
}
_SERVICES = {
    "controller": (
        *("etc/keystone/keystone.conf", "etc/placement/placement.conf", "etc/glance/glance-api.conf"),
        *("etc/nova/nova.conf", "etc/neutron/neutron.conf", "etc/neutron/ml2.ini"),
    ),
    "gateway": (
        *("etc/neutron/neutron.conf", "etc/neutron/openvswitch_agent.ini"),
        *("etc/neutron/l3_agent.ini", "etc/neutron/dhcp_agent.ini"),
    ),
    "compute": (*("etc/nova/nova.conf", "etc/neutron/neutron.conf", "etc/neutron/openvswitch_agent.ini"),),
}
#: API of a package → its program, what it logs to, and further keys of its uwsgi.ini
_APIS = {
    "etc/keystone/keystone-uwsgi.ini": ("keystone", "keystone-wsgi-public", {}),
    "etc/placement/placement-api-uwsgi.ini": ("placement", "placement-api", {}),
    "etc/glance/glance-api-uwsgi.ini": (
        "glance",
        "glance-wsgi-api",
        {"http-auto-chunked": "true", "http-chunked-input": "true", "wsgi-manage-chunked-input": "true"},
    ),
    "etc/nova/nova-api-uwsgi.ini": ("nova", "nova-api-wsgi", {}),
    "etc/neutron/neutron-api-uwsgi.ini": (
        "neutron", "neutron-api", {"paste": "config:/etc/neutron/api-paste.ini"},
    ),
}  # fmt: skip
_SWITCH = "tcp:127.0.0.1:6640"
_QUORUM = {"rabbit_quorum_queue": "true", "amqp_durable_queues": "true", "kombu_reconnect_delay": "0.5"}


def files(node: settings.Node) -> dict[str, str]:
    """Every configuration file's text on a machine, by its path."""
    found = {_PLACES.get(path, path): _text(path, node) for path in _SERVICES[node.role]}
    if node.role == "controller":
        found |= {path: _uwsgi(*told) for path, told in _APIS.items()} | _cluster(node)
    if node.role == "compute":
        found["usr/lib/python3/dist-packages/nova/virt/lab.py"] = _DRIVER.read_text()
        # a package of the hypervisor's, which is read last
        driver = {"compute_driver": configuration.NOVA["DEFAULT"]["compute_driver"]}
        found["etc/nova/nova-compute.conf"] = configuration.ini({"DEFAULT": driver})
    return found


def endpoints() -> str:
    """What the catalogue of keystone is made of, for files/openstack/image/catalogue.py."""
    return clusters.moved(configuration.TEXTS["openstack/endpoints.json"])


def _text(path: str, node: settings.Node) -> str:
    sections = {name: dict(keys) for name, keys in configuration.FILES[path].items()}
    if "transport_url" in sections.get("DEFAULT", {}):
        sections["oslo_messaging_rabbit"] = dict(_QUORUM)
    if path == "etc/nova/nova.conf":
        sections["DEFAULT"] |= {"my_ip": node.address, "host": node.name}
    if path == "etc/neutron/neutron.conf":
        sections["DEFAULT"] |= {"host": node.name, "dhcp_agents_per_network": 1}
        sections["agent"] |= {"root_helper": "sudo"}
    if "ovsdb_connection" in sections.get("ovs", {}):
        sections["ovs"]["ovsdb_connection"] = _SWITCH
    if path == "etc/neutron/openvswitch_agent.ini":
        sections["ovs"] |= {"local_ip": node.underlay}
    if path == "etc/glance/glance-api.conf":
        sections["DEFAULT"] = {"use_stderr": "true", "enabled_backends": "files:file"}
    return clusters.moved(configuration.ini(sections))


def _uwsgi(name: str, program: str, more: dict[str, str]) -> str:
    keys = {
        "buffer-size": 65535,
        "rem-header": "Content-Length",
        "master": "true",
        "plugins": "python3",
        "lazy-apps": "true",
        "no-orphans": "true",
        "die-on-term": "true",
        "enable-threads": "true",
        "processes": 1,
        "threads": 6,
        "disable-logging": "true",
        "need-app": "true",
        "add-header": "Connection: close",
        "name": program,
        "chdir": f"/var/lib/{name}",
        "wsgi-file": f"/usr/bin/{program}",
        **more,
    }
    return "\n".join(["[uwsgi]", *(f"{key} = {value}" for key, value in keys.items()), ""])


def _cluster(node: settings.Node) -> dict[str, str]:
    """The database's, the broker's and the cache's files on a controller."""
    shared = {path: text.decode() for path, text in clusters.files().items()}
    controllers = [one for one in settings.PROFILES[settings.PACKAGES] if one.role == "controller"]
    member = {
        "mysqld": {
            "wsrep_cluster_address": f"gcomm://{','.join(one.address for one in controllers)}",
            "wsrep_node_address": node.address,
            "wsrep_node_name": node.name,
        }
    }
    database = configuration.FILES["etc/mysql/mariadb.conf.d/99-lab.cnf"]["mysqld"]
    # a key of later versions than bookworm's
    known = {key: value for key, value in database.items() if key != "innodb_snapshot_isolation"}
    return {
        "etc/mysql/mariadb.conf.d/99-lab.cnf": configuration.ini({"mysqld": known}),
        "etc/mysql/mariadb.conf.d/99-z-galera.cnf": shared["etc/mysql/mariadb.conf.d/99-z-galera.cnf"],
        "etc/mysql/mariadb.conf.d/99-zz-member.cnf": configuration.ini(member),
        "root/.my.cnf": shared["root/.my.cnf"],
        "etc/rabbitmq/rabbitmq.conf": shared["etc/rabbitmq/rabbitmq.conf"],
        "etc/rabbitmq/rabbitmq-env.conf": shared["etc/rabbitmq/rabbitmq-env.conf"],
        "usr/local/lib/lab-member-check": _MEMBER_CHECK.read_text(),
        "etc/memcached.conf": "-m 32\n-p 11211\n-u memcache\n-l 0.0.0.0\n-P /run/memcached/memcached.pid\n",
    }
