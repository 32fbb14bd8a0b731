"""Deploy as a tool that nobody knows: a plain unit that runs a container, under a name of the catalogue's."""

from tests.lab.cloud import Lab

from . import host

#: the unit, whatever container it runs
UNIT = "acme-cache.service"
_TEXT = """\
# laid by Acme's own scripts
[Unit]
Description=Acme's cache
After=network-online.target

[Service]
Type=simple
ExecStartPre=-/usr/bin/podman rm --force --ignore {container}
ExecStart=/usr/bin/podman run --rm --name {container} --network host --label acme.tier=gold {image}
ExecStop=/usr/bin/podman stop --ignore --time 10 {container}
Restart=always

[Install]
WantedBy=multi-user.target
"""


def deploy(lab: Lab, node: str, container: str, image: str) -> None:
    """Run a container by that unit; run again with another image it is that tool's own next run.

    Args:
        lab: A lab that is up.
        node: The machine.
        container: Its name, e.g. that of a service of the catalogue.
        image: The reference of its image.

    Raises:
        LabError: The unit did not start.
    """
    if host.write(lab, node, f"/etc/systemd/system/{UNIT}", _TEXT.format(container=container, image=image)):
        lab.exec(node, ["systemctl", "daemon-reload"])
        lab.exec(node, ["systemctl", "enable", UNIT])
        lab.exec(node, ["systemctl", "restart", UNIT])
