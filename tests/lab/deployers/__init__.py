"""Other deployers' containers on machines of the lab, as they are before an update takes them over.

TripleO's and kolla-ansible's own code does it, from PyPI; EDPM's quadlets are laid by a stand-in; `unknown`
is a tool that no table knows. Each deployer is a module with `SERVICES`, `unit(container)` and
`deploy(lab, node, services, image_of)`, which run again is that deployer's own next run:

    tripleo.deploy(lab, "ctl1", tripleo.SERVICES, release("1.0.0"))
    kolla.deploy(lab, "ctl2", {"memcached": kolla.SERVICES["memcached"]}, release("1.0.1"))

What is not as in production, and why:

* Ansible reaches a machine by entering it: the machines have no SSH.
* The nodes are Debian with podman 5.4, without SELinux: labels (`z`, `label=…`) are asked for in vain.
* No limit of a cgroup (memory, CPU, cpuset, pids): a machine of the lab has no controllers where its host
  gave them to version 1. A limit of a process may be lowered, and not raised over what the machine has:
  TripleO's `nofile` and `memlock` are smaller here; kolla-ansible hands its own to podman nowhere.
* containers.conf of the lab makes the host's network the default, so published ports are not published.
* Images start a program of the lab, whatever config.json says, and copy no configuration into place. So
  `kolla_set_configs --check` always finds it unchanged.
* TripleO's definitions are handed to its modules as Heat would have put them together. There is no Heat, no
  Puppet and no Pacemaker bundle. The collection containers.podman is younger than TripleO's last release.
* kolla-ansible's definitions are its roles' with the variables filled in. Its role service-check-containers
  runs; what others have as handlers is written out. It prepares nothing of the node but podman's socket.
* kolla-ansible hands neither `tmpfs` nor `security_opt` to podman: that is so in production, too.
* EDPM's files are written by the lab, since edpm-ansible is on no package index.
"""

from collections.abc import Callable

from tests.lab import images, settings


def release(version: str) -> Callable[[str], str]:
    """What tells the reference of an image key in that release of the lab: a tag, as deployers have it.

    Args:
        version: E.g. `1.0.0`.
    """

    def reference(key: str) -> str:
        backend = "-default" if key in images.MAPS else ""
        return f"{settings.REGISTRY}/{images.repository(key)}{backend}:{version}"

    return reference
