"""A real registry on loopback with small images in it, and the configuration by which clients reach it."""

import base64
import hashlib
import json
import os
import socket
import subprocess
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

USER, PASSWORD = "puller", "correct-horse-battery"
# of PASSWORD, by bcrypt, which is all that docker-registry takes
HTPASSWD = "puller:$2b$04$lmrzjzJMwlBBMcN2jXs/M..emiucA/l56TdIqhm9RiMYNM2in7Mx.\n"
CONFIG = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: {address}}}
"""


def free_port():
    """A port of loopback that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Registry:
    """`docker-registry serve` over a directory; stop() and start() keep address and content.

    address: where it serves, by default a free port of loopback. within: makes of a command line the one that
    runs it where that address is.
    """

    def __init__(self, home, address="", within=list):
        self.home = home
        self.address = address or f"127.0.0.1:{free_port()}"
        self.within = within
        self.process = None
        (home / "config.yml").write_text(CONFIG.format(root=home / "data", address=self.address))
        self.registries_conf = home / "registries.conf"
        self.registries_conf.write_text(f'[[registry]]\nlocation = "{self.address}"\ninsecure = true\n')

    def environment(self):
        """The environment in which skopeo speaks plain HTTP to it."""
        return os.environ | {"CONTAINERS_REGISTRIES_CONF": str(self.registries_conf)}

    def start(self):
        """Serve, and wait until it answers."""
        self.process = subprocess.Popen(
            self.within(["docker-registry", "serve", str(self.home / "config.yml")]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 30
        while not self._answers():
            if time.monotonic() > until:
                raise TimeoutError("the registry does not answer")
            time.sleep(0.05)
        return self

    def _answers(self):
        """Whether it does, be it that it wants a login."""
        asked = ["curl", "--silent", "--output", "/dev/null", f"http://{self.address}/v2/"]
        return subprocess.run(self.within(asked), check=False).returncode == 0

    def guard(self):
        """Ask for the login of USER from now on."""
        self.stop()
        place, config = self.home / "htpasswd", self.home / "config.yml"
        place.write_text(HTPASSWD)
        config.write_text(f"{config.read_text()}auth: {{htpasswd: {{realm: images, path: {place}}}}}\n")
        return self.start()

    def stop(self):
        """End it for certain."""
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=10)
            self.process = None

    def push(self, name, tag, label, layers=(), **more):
        """Push an image that differs by its label; returns its digest. layers: tar archives. more: of its
        configuration.
        """
        described = {
            one: {
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": f"sha256:{hashlib.sha256(one).hexdigest()}",
                "size": len(one),
            }
            for one in layers
        }
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": {"version": label}},
            "rootfs": {"type": "layers", "diff_ids": [one["digest"] for one in described.values()]},
            **more,
        }
        return self._push(name, tag, json.dumps(config).encode(), described)

    def sign(self, name, digest, key, of=None):
        """Push a signature of an image, in cosign's form, by an EC key. of: the name that is signed."""
        critical = {
            "identity": {"docker-reference": f"{self.address}/{of or name}"},
            "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        }
        payload = json.dumps({"critical": critical, "optional": None}).encode()
        signature = base64.b64encode(key.sign(payload, ec.ECDSA(hashes.SHA256()))).decode()
        layer = {
            "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
            "digest": f"sha256:{hashlib.sha256(payload).hexdigest()}",
            "size": len(payload),
            "annotations": {"dev.cosignproject.cosign/signature": signature},
        }
        rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
        config = json.dumps({"architecture": "", "os": "", "config": {}, "rootfs": rootfs}).encode()
        self._push(name, f"{digest.replace(':', '-')}.sig", config, {payload: layer})

    def copy(self, source, name, *options):
        """Have an image of elsewhere. source: as skopeo has it. name: what it is called here."""
        there = [source, f"docker://{self.address}/{name}"]
        command = ["skopeo", "--registries-conf", str(self.registries_conf), "copy", "--insecure-policy"]
        subprocess.run(self.within([*command, *options, *there]), check=True, capture_output=True)

    def _push(self, name, tag, config, layers=None):
        place = self.home / f"image-{name}-{tag}"
        place.mkdir(parents=True)
        digest = hashlib.sha256(config).hexdigest()
        (place / digest).write_bytes(config)
        (place / "version").write_text("Directory Transport Version: 1.1\n")
        for content, layer in (layers or {}).items():
            (place / layer["digest"].removeprefix("sha256:")).write_bytes(content)
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": f"sha256:{digest}",
                "size": len(config),
            },
            "layers": list((layers or {}).values()),
        }
        (place / "manifest.json").write_text(json.dumps(manifest))
        self.copy(f"dir:{place}", f"{name}:{tag}", "--digestfile", str(self.home / "digest"))
        return (self.home / "digest").read_text().strip()
