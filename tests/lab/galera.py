"""Options of two Galera members on one machine, each with an address of its own."""

from __future__ import annotations

ADDRESSES = {"one": "127.0.0.1", "two": "127.0.0.2"}
_OPTIONS = """\
[mysqld]
wsrep_on = ON
wsrep_provider = /usr/lib/galera/libgalera_smm.so
wsrep_cluster_name = lab
wsrep_cluster_address = gcomm://{group}
wsrep_sst_method = rsync
wsrep_node_name = {name}
wsrep_node_address = {address}
wsrep_provider_options = "gmcast.listen_addr=tcp://{address}:4567;gcache.size=8M"
wsrep_sst_receive_address = {address}:4444
binlog_format = ROW
innodb_autoinc_lock_mode = 2
bind-address = {address}
"""


def options(name: str) -> str:
    """What is in a member's file of options, to which its own paths are added."""
    return _OPTIONS.format(name=name, address=ADDRESSES[name], group=",".join(ADDRESSES.values()))
