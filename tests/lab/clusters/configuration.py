"""The configuration of the profile's clusters: that of the single OpenStack controller, made for three.

What every member has is in its image; who it is, and who the others are, it reads from its machine.
"""

from __future__ import annotations

from tests.lab import settings
from tests.lab.openstack import configuration

#: what Pacemaker moves from controller to controller
VIP = "10.88.0.10"
#: where haproxy listens on each controller: service → port
PORTS = {
    "keystone": 15000,
    "placement": 18778,
    "glance": 19292,
    "nova": 18774,
    "neutron": 19696,
    "mariadb": 13306,
}
#: the port on which a database member tells haproxy whether it is synced
MEMBER_CHECK = 9200
COOKIE = "labcookie"
_CONTROLLERS = tuple(node for node in settings.PROFILES[settings.CONTROLLERS] if node.role == "controller")
_MESSAGES = ",".join(f"lab:{configuration.PASSWORD}@{node.address}:5672" for node in _CONTROLLERS)
_CACHE = ",".join(f"{node.address}:11211" for node in _CONTROLLERS)
#: an address of the single controller → the one that serves the same of three
_MOVED = {
    f"lab:{configuration.PASSWORD}@{configuration.CONTROLLER}:5672": _MESSAGES,
    f"@{configuration.CONTROLLER}/": f"@{VIP}:{PORTS['mariadb']}/",
    f"{configuration.CONTROLLER}:5000": f"{VIP}:{PORTS['keystone']}",
    f"{configuration.CONTROLLER}:8778": f"{VIP}:{PORTS['placement']}",
    f"{configuration.CONTROLLER}:9292": f"{VIP}:{PORTS['glance']}",
    f"{configuration.CONTROLLER}:8774": f"{VIP}:{PORTS['nova']}",
    f"{configuration.CONTROLLER}:9696": f"{VIP}:{PORTS['neutron']}",
    # so that not each request asks keystone for its token
    "service_token_roles_required = false": (
        f"service_token_roles_required = false\nmemcached_servers = {_CACHE}"
    ),
    # the one of the two that takes a cache which restarts for a miss, and not for an error
    "dogpile.cache.memory": f"oslo_cache.memcache_pool\nmemcache_servers = {_CACHE}\nmemcache_dead_retry = 5",
}
_GALERA = """\
[mysqld]
wsrep_on = ON
wsrep_provider = /usr/lib/galera/libgalera_smm.so
wsrep_provider_options = gcache.size=64M
wsrep_cluster_name = lab
wsrep_sst_method = rsync
wsrep_slave_threads = 2
wsrep_retry_autocommit = 3
binlog_format = ROW
default_storage_engine = InnoDB
innodb_autoinc_lock_mode = 2
"""
#: as an installer leaves it to the root of a member, so that its tools reach the other members
_CLIENT = f"[client]\nuser = lab\npassword = {configuration.PASSWORD}\n"
_RABBIT = f"""\
listeners.tcp.default = 5672
default_user = lab
default_pass = {configuration.PASSWORD}
loopback_users = none
log.console = true
cluster_partition_handling = pause_minority
cluster_formation.peer_discovery_backend = classic_config
"""
#: two cores are shared by all
_LIGHT = "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"


def files() -> dict[str, bytes]:
    """Every configuration file's content, by its path in the image."""
    found = {path: moved(text) for path, text in configuration.files().items()}
    members = "".join(
        f"cluster_formation.classic_config.nodes.{number} = rabbit@{node.name}\n"
        for number, node in enumerate(_CONTROLLERS, 1)
    )
    found |= {
        "etc/mysql/mariadb.conf.d/99-z-galera.cnf": _GALERA,
        "root/.my.cnf": _CLIENT,
        "etc/rabbitmq/rabbitmq.conf": _RABBIT + members,
        "etc/rabbitmq/rabbitmq-env.conf": f'SERVER_ADDITIONAL_ERL_ARGS="{_LIGHT}"\n',
    }
    return {path: text.encode() for path, text in found.items()}


def moved(text: str) -> str:
    """A text that names the single controller, made to name what serves the same of three."""
    for single, shared in _MOVED.items():
        text = text.replace(single, shared)
    return text
