"""Services that nobody but their node depends on: what they keep is no data of others. Data only.

Names are globs. Units are restarted where they run what an update replaced (`stale_services`); none of all
these makes a node a workload by itself (node/unknown_services.py).
"""

from __future__ import annotations

#: Units that others do not notice when they restart; of all else nobody knows what it carries.
UNITS = (
    *("sshd.service", "ssh.service", "cron.service", "crond.service", "atd.service"),
    *("rsyslog.service", "syslog-ng.service", "systemd-journald.service", "systemd-udevd.service"),
    *("chronyd.service", "chrony.service", "ntpd.service", "ntpsec.service", "systemd-timesyncd.service"),
    *("tuned.service", "irqbalance.service", "polkit.service", "postfix*.service", "exim4.service"),
    *("snmpd.service", "lldpd.service", "smartd.service", "smartmontools.service", "rngd.service"),
    *("collectd.service", "telegraf.service", "zabbix-agent*.service", "nrpe.service"),
    *("node_exporter.service", "prometheus-node-exporter.service", "packagekit.service"),
    *("unattended-upgrades.service", "insights-client*.service", "rhsmcertd.service"),
)
#: Programs, by the name of the process or of its file: a node's own means, and what has an owner here.
PROGRAMS = (
    # logins, time, logs, mail that is relayed, the network's own
    *("sshd*", "chronyd", "ntpd", "systemd*", "salt-minion*", "salt-call*", "cockpit-*"),
    *("rsyslogd", "syslog-ng", "auditd", "fluentd", "fluent-bit", "td-agent*", "filebeat", "promtail"),
    *("*/postfix/*", "exim4", "NetworkManager", "dhclient", "dhcpcd", "dnsmasq", "radvd", "lldpd"),
    *("rpcbind", "rpc.statd", "rpc.mountd", "snmpd", "avahi-daemon", "tailscaled"),
    *("pluto", "charon", "charon-systemd"),  # IPsec, of tunnels too
    # agents that watch or manage the node
    *("*exporter*", "prometheus-node*", "collectd", "telegraf", "zabbix_agent*", "nrpe", "netdata", "pmcd"),
    *("pmlogger", "pmproxy", "cf-*", "teleport", "wazuh*", "osqueryd", "icinga2", "splunkd"),
    *("*beat", "alloy", "grafana-agent*", "vector", "otelcol*", "munin-node", "gmond", "monit", "vnstatd"),
    *("cmk-agent-ctl", "check_mk_agent", "sensu-agent", "newrelic-infra*", "amazon-ssm-agent", "puppet*"),
    *("*/datadog-agent/*", "oneagent*", "*/dynatrace/*", "falcon-sensor", "nessus-*", "qualys-cloud-agent"),
    # clients of backups, logins and storage: what they keep is elsewhere
    *("bacula-fd", "bareos-fd", "urbackupclientbackend", "sssd*", "nscd", "nslcd", "winbindd", "xinetd"),
    *("iscsid", "multipathd", "smartd", "mcelog", "rasdaemon", "ipmievd"),
    # engines of containers and of guests: what runs in them is looked at by itself
    *("podman", "conmon", "crun", "runc", "dockerd", "docker-proxy", "containerd*", "rootlessport"),
    *("slirp4netns", "pasta*", "aardvark-dns", "netavark", "libvirtd", "virtproxyd", "virtqemud"),
    *("virtlogd", "virtlockd", "virtnetworkd", "virtnodedevd", "virtstoraged", "virtsecretd"),
    *("virtinterfaced", "virtnwfilterd", "virtlxcd", "virtxend", "swtpm"),
    # the cloud's data path and clusters, which have stages and guards of their own
    *("ovs-*", "ovsdb-*", "ovn-*", "nova-*", "neutron-*", "keepalived", "haproxy"),
    *("corosync*", "pacemaker*", "pcsd", "zebra", "bgpd", "bfdd", "ospfd", "ospf6d", "staticd", "watchfrr"),
)
#: What a control plane is made of beside what node/stateful.py knows; its nodes go one at a time anyway.
OF_THE_CONTROL_PLANE = (
    *("keystone*", "glance*", "placement*", "nova*", "neutron*", "cinder*", "heat*", "ironic*", "octavia*"),
    *("designate*", "manila*", "barbican*", "aodh*", "ceilometer*", "gnocchi*", "cloudkitty*", "horizon*"),
    *("magnum*", "trove*", "mistral*", "masakari*", "blazar*", "cyborg*", "tacker*", "skyline*", "watcher*"),
    *("swift-proxy*", "memcached", "epmd", "httpd", "apache2", "proxysql"),
)
