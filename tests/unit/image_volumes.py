"""podman's volumes of its driver `image`, for tests: each holds an image as a container does."""

from __future__ import annotations

import json


class Volumes:
    """What podman answers of volumes, as podman 4.3 and 5.4 do."""

    def __init__(self):
        self.volumes = {}  # name → {"driver", "labels", "image": id, None where it was taken by force}
        self.driver = "overlay"
        self.broken = False
        self.made = 0

    @property
    def salt(self):
        return {"cmd.run_all": self.run, "podman.containers": lambda known=False: {}}

    @property
    def held(self):
        """The ids of the images that volumes hold."""
        return {one["image"] for one in self.volumes.values() if one["image"]}

    def knows(self, command):
        """Whether a command is about volumes, or what they hold."""
        return command[:2] == ["podman", "volume"] or "--external" in command

    def run(self, command, **_):
        done = {"retcode": 0, "stdout": "", "stderr": "", "pid": 1}
        if command[:3] == ["podman", "info", "--format"]:
            return done | {"stdout": f"{self.driver}\n"}
        if command[:3] == ["podman", "ps", "--all"]:
            assert command[3:] == ["--external", "--format", "json"]
            there = [
                {"Names": [f"{name}+volume"], "ImageID": one["image"], "Status": "Storage"}
                for name, one in self.volumes.items()
                if one["image"]
            ]
            another = {"Names": ["nova_compute"], "ImageID": "9" * 64, "Status": "Up 3 hours"}
            built = {"Names": None, "ImageID": "8" * 64, "Status": "Storage"}
            return done | {"stdout": json.dumps([*there, another, built])}
        assert command[:2] == ["podman", "volume"], command
        return done | getattr(self, f"_{command[2]}")(command[3:])

    def _ls(self, arguments):
        label = arguments[arguments.index("--filter") + 1].removeprefix("label=")
        found = [
            {"Name": name, "Driver": one["driver"], "Labels": one["labels"]}
            for name, one in self.volumes.items()
            if label in one["labels"]
        ]
        return {"stdout": json.dumps(found)}

    def _create(self, arguments):
        name = arguments[-1]
        if self.broken or name in self.volumes:
            said = "no locks available" if self.broken else "volume already exists"
            return {"retcode": 125, "stderr": f"Error: {said}"}
        assert arguments[:4] == ["--driver", "image", "--opt", f"image={arguments[3].partition('=')[2]}"]
        label, _, value = arguments[arguments.index("--label") + 1].partition("=")
        image = arguments[3].partition("=")[2]
        self.volumes[name] = {"driver": "image", "labels": {label: value}, "image": image}
        self.made += 1
        return {"stdout": name}

    def _rm(self, arguments):
        for name in arguments:
            del self.volumes[name]
        return {}
