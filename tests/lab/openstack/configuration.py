"""The configuration of the profile's OpenStack, as data: {path: {section: {key: value}}}.

One table for the image, whose services read it, and for the operator's page, from which the product renders
nova-compute's own file. Intervals are short, so that a test sees a dead service in seconds.
"""

import configparser
import io
import json
from pathlib import Path

import yaml

CONTROLLER = "10.88.0.11"
PASSWORD = "lab"
REGION = "RegionOne"
KEYSTONE = f"http://{CONTROLLER}:5000/v3"
#: {type: (name, address)} of the API's endpoints
ENDPOINTS = {
    "placement": ("placement", f"http://{CONTROLLER}:8778"),
    "image": ("glance", f"http://{CONTROLLER}:9292"),
    "compute": ("nova", f"http://{CONTROLLER}:8774/v2.1"),
    "network": ("neutron", f"http://{CONTROLLER}:9696"),
}
#: of Masakari, which runs, and is in the catalogue, only while a test wants it
INSTANCE_HA_PORT = 15868
_MESSAGES = f"rabbit://lab:{PASSWORD}@{CONTROLLER}:5672/"
_SWITCH = "unix:/run/openvswitch/db.sock"
#: seconds after which a service or an agent without a heartbeat counts as down
DOWN_AFTER = 12

_SERVICE_USER = {
    "auth_type": "password",
    "auth_url": KEYSTONE,
    "username": "services",
    "password": PASSWORD,
    "project_name": "service",
    "user_domain_name": "Default",
    "project_domain_name": "Default",
}
_CLIENT = _SERVICE_USER | {"region_name": REGION}
_TOKENS = _SERVICE_USER | {
    "www_authenticate_uri": KEYSTONE,
    "service_token_roles": "service",
    "service_token_roles_required": "false",
}


def _database(name: str) -> dict[str, object]:
    connection = f"mysql+pymysql://lab:{PASSWORD}@{CONTROLLER}/{name}"
    return {"connection": connection, "max_pool_size": 5, "max_overflow": 20}


NOVA: dict[str, dict[str, object]] = {
    "DEFAULT": {
        "use_stderr": "true",
        "transport_url": _MESSAGES,
        "compute_driver": "lab.Driver",
        "resume_guests_state_on_host_boot": "true",
        "state_path": "/var/lib/nova",
        "enabled_apis": "osapi_compute",
        "osapi_compute_workers": 1,
        "report_interval": 2,
        "periodic_fuzzy_delay": 0,
        "update_resources_interval": 5,
        "max_concurrent_live_migrations": 4,
        "rpc_response_timeout": 30,
        "service_down_time": DOWN_AFTER,
        "vif_plugging_is_fatal": "false",
        "vif_plugging_timeout": 0,
    },
    "api": {"auth_strategy": "keystone"},
    "api_database": _database("nova_api"),
    "database": _database("nova"),
    "compute": {"live_migration_wait_for_vif_plug": "false"},
    "conductor": {"workers": 1},
    "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 4},
    "vnc": {"enabled": "false"},
    "oslo_concurrency": {"lock_path": "/var/lib/nova/lock"},
    "glance": {"api_servers": ENDPOINTS["image"][1]},
    "placement": _CLIENT,
    "neutron": _CLIENT,
    "cinder": _CLIENT,
    "service_user": _SERVICE_USER | {"send_service_user_token": "true"},
    "keystone_authtoken": _TOKENS,
}
_AGENT: dict[str, object] = {"rpc_response_timeout": 8}
_NO_FIREWALL = {"enable_security_group": "false", "firewall_driver": "noop"}

FILES: dict[str, dict[str, dict[str, object]]] = {
    "etc/keystone/keystone.conf": {
        "DEFAULT": {"use_stderr": "true"},
        "database": _database("keystone"),
        "token": {"provider": "fernet", "expiration": 86400},
        "cache": {"enabled": "true", "backend": "dogpile.cache.memory"},
        "fernet_tokens": {"key_repository": "/etc/keystone/fernet-keys/"},
        "credential": {"key_repository": "/etc/keystone/credential-keys/"},
        "identity": {"password_hash_rounds": 4},
    },
    "etc/placement/placement.conf": {
        "DEFAULT": {"use_stderr": "true"},
        "api": {"auth_strategy": "keystone"},
        "placement_database": _database("placement"),
        "keystone_authtoken": _TOKENS,
    },
    "etc/glance/glance-api.conf": {
        "DEFAULT": {
            "use_stderr": "true",
            "bind_host": "0.0.0.0",
            "bind_port": 9292,
            "workers": 0,
            "enabled_backends": "files:file",
        },
        "glance_store": {"default_backend": "files"},
        "files": {"filesystem_store_datadir": "/var/lib/glance/images/"},
        "os_glance_staging_store": {"filesystem_store_datadir": "/var/lib/glance/staging/"},
        "os_glance_tasks_store": {"filesystem_store_datadir": "/var/lib/glance/tasks/"},
        "database": _database("glance"),
        "paste_deploy": {"flavor": "keystone"},
        "oslo_concurrency": {"lock_path": "/var/lib/glance/lock"},
        "keystone_authtoken": _TOKENS,
    },
    "etc/nova/nova.conf": NOVA,
    "etc/masakari/masakari.conf": {
        "DEFAULT": {
            "use_stderr": "true",
            "transport_url": _MESSAGES,
            "auth_strategy": "keystone",
            "os_privileged_user_name": _SERVICE_USER["username"],
            "os_privileged_user_password": _SERVICE_USER["password"],
            "os_privileged_user_tenant": _SERVICE_USER["project_name"],
            "os_privileged_user_auth_url": KEYSTONE,
            "os_region_name": REGION,
        },
        "database": _database("masakari"),
        "keystone_authtoken": _TOKENS,
    },
    "etc/neutron/neutron.conf": {
        "DEFAULT": {
            "use_stderr": "true",
            "transport_url": _MESSAGES,
            "core_plugin": "ml2",
            "service_plugins": "router",
            "rpc_response_timeout": 20,
            "auth_strategy": "keystone",
            "api_workers": 1,
            "rpc_workers": 1,
            "rpc_state_report_workers": 0,
            "state_path": "/var/lib/neutron",
            "agent_down_time": DOWN_AFTER,
            "dhcp_agents_per_network": 1,
            "notify_nova_on_port_status_changes": "true",
            "notify_nova_on_port_data_changes": "true",
        },
        "agent": {"report_interval": 4, "root_helper": "sudo"},
        "database": _database("neutron"),
        "nova": _CLIENT,
        "placement": _CLIENT,
        "oslo_concurrency": {"lock_path": "/var/lib/neutron/lock"},
        "securitygroup": _NO_FIREWALL,
        "keystone_authtoken": _TOKENS,
    },
    "etc/neutron/ml2.ini": {
        "ml2": {
            "type_drivers": "vxlan,flat",
            "tenant_network_types": "vxlan",
            "mechanism_drivers": "openvswitch",
            "extension_drivers": "",
        },
        "ml2_type_vxlan": {"vni_ranges": "1:1000"},
        "ml2_type_flat": {"flat_networks": "*"},
        "securitygroup": _NO_FIREWALL,
    },
    # The tunnel endpoint's address differs from node to node: the start script writes it beside these.
    "etc/neutron/openvswitch_agent.ini": {
        "DEFAULT": _AGENT,
        "ovs": {"datapath_type": "netdev", "ovsdb_connection": _SWITCH},
        "agent": {"tunnel_types": "vxlan"},
        "securitygroup": _NO_FIREWALL,
    },
    "etc/neutron/l3_agent.ini": {
        "DEFAULT": _AGENT
        | {"interface_driver": "openvswitch", "agent_mode": "legacy", "enable_metadata_proxy": "false"},
        "ovs": {"ovsdb_connection": _SWITCH},
    },
    "etc/neutron/dhcp_agent.ini": {
        "DEFAULT": _AGENT | {"interface_driver": "openvswitch", "resync_interval": 2},
        "ovs": {"ovsdb_connection": _SWITCH},
    },
    "etc/mysql/mariadb.conf.d/99-lab.cnf": {
        "mysqld": {
            "bind-address": "0.0.0.0",
            "skip-log-bin": "1",
            "skip-name-resolve": "1",
            "performance_schema": "OFF",
            # OpenStack's transactions do not know the error that MariaDB has had for them since 11.6.
            "innodb_snapshot_isolation": "OFF",
            "innodb_flush_log_at_trx_commit": 0,
            "innodb_buffer_pool_size": "96M",
            "innodb_log_file_size": "32M",
            "max_connections": 400,
        }
    },
}
#: what is no table of sections
TEXTS = {
    "openstack/endpoints.json": json.dumps(
        {"keystone": KEYSTONE, "password": PASSWORD, "region": REGION, "endpoints": ENDPOINTS}
    ),
    "etc/rabbitmq/rabbitmq.conf": f"""\
listeners.tcp.default = 0.0.0.0:5672
default_user = lab
default_pass = {PASSWORD}
loopback_users = none
log.console = true
""",
    "etc/rabbitmq/rabbitmq-env.conf": """\
NODENAME=rabbit@localhost
SERVER_ADDITIONAL_ERL_ARGS="+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"
""",
}


def files() -> dict[str, str]:
    """Every configuration file's text, by its path in the image."""
    return {path: ini(sections) for path, sections in FILES.items()} | TEXTS


def write_clouds(path: Path, keystone: str = KEYSTONE) -> None:
    """Write how an administrator reaches the API, as openstacksdk reads it."""
    user = {
        "auth_url": keystone,
        "username": "admin",
        "password": PASSWORD,
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    path.write_text(yaml.safe_dump({"clouds": {"openstack": {"auth": user, "region_name": REGION}}}))


def ini(sections: dict[str, dict[str, object]]) -> str:
    """Sections and their keys as oslo.config and MariaDB read them."""
    parser = configparser.RawConfigParser(default_section="")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_dict(sections)
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()
