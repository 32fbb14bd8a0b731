"""What the state of a found container answers where no container is replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from openstack_rollout.node import answers, carriers, container_change, engines

_Record = Mapping[str, Any]
_BUNDLES = "pacemaker_bundle"


class Asked:
    """One container that a state is asked about.

    salt (dict): the caller's `__salt__`. name (str): of the state. container (str): its name. image (str):
    the one that it has to run. test (bool): whether the state predicts.
    """

    def __init__(self, salt: Mapping[str, Any], name: str, container: str, image: str, *, test: bool):
        self._salt, self._name, self._container = salt, name, container
        self._image, self._test = image, test

    def answer(self, record: _Record | None, begun: _Record | None, *, one_shot: bool) -> dict | None:
        """The answer where nothing is replaced, or where that cannot be told yet; None where it may be.

        record (dict): what its carrier tells of it. begun (dict): of a replacement that a run began which
        died. one_shot (bool): whether it does something once and ends.
        """
        if begun and self._test:
            # Between two steps the container may have no name of its own: nobody can tell how it is run.
            return self.finished(begun, lambda: None)
        if record is None:
            return self._absent()
        if record["unit"] and self._salt["quadlet.masked"](record["unit"]):
            return self._same(f"{self._container} is left alone: {record['unit']} is masked")
        return self._defined(record) if one_shot else None

    def finished(self, token: Any, finish: Callable[[], Any]) -> dict:
        """The answer of a container that is as it must be, once the work of a run that died is finished.

        token: of that work, if there is any. finish (callable): does it.
        """
        changes = {"old": "its change was begun", "new": "finished"} if token else {}
        if changes and self._test:
            return self._change(None, f"{self._container}: its change would be finished", changes)
        if not self._test:
            finish()
        return self._change(True, f"{self._container} runs {self._image}", changes)

    def _absent(self) -> dict:
        """Of a container that nobody here knows to run, or that is not here."""
        if self._container in engines.containers(self._salt, known=True):
            return self._same(f"{self._container} is left alone: how it is run is not known here")
        tag = (
            self._salt[f"{_BUNDLES}.spare_tag"](self._container)
            if f"{_BUNDLES}.carried" in self._salt
            else ""
        )
        return self._tagged(tag) if tag else self._same(f"{self._container} is not on this node")

    def _tagged(self, tag: str) -> dict:
        """Of a bundle without a replica here: one that moves here is to start the image."""
        was = self._salt["podman.tagged"](tag)
        if was and was == self._local("podman"):
            return self._same(f"{self._container} is not on this node, and would start {self._image} here")
        changes = {"old": was[:12] or None, "new": self._image, "carrier": _BUNDLES}
        if self._test:
            return self._change(None, f"{tag} would name {self._image}", changes)
        container_change.pull(self._salt, "podman", self._image)
        self._salt["podman.tag"](self._local("podman"), tag)
        return self._change(True, f"{tag} names {self._image}", changes)

    def _defined(self, record: _Record) -> dict:
        """Of a container that runs once: its definition names the image, and nothing is started."""
        engine, carrier = record["engine"], record["carrier"]
        named = self._salt[f"{engine}.named_images"](known=True).get(record["image"])
        if record["image"] == self._image or (named and named == self._local(engine)):
            return self._same(f"{self._container} is defined with {self._image}")
        if carrier not in carriers.DEFINING:
            return self._same(f"{self._container} is left alone: its deployer creates it for each run")
        changes = {"old": record["image"], "new": self._image, "carrier": carrier}
        if self._test:
            return self._change(None, f"{self._container} would be defined with {self._image}", changes)
        container_change.pull(self._salt, engine, self._image)
        token = self._salt[f"{carrier}.prepare"](self._container, self._image)
        self._salt[f"{carrier}.define"](self._container, token)
        return self._change(True, f"{self._container} is defined with {self._image}", changes)

    def _local(self, engine: str) -> str:
        return self._salt[f"{engine}.image_ids"]([self._image], known=True).get(self._image, "")

    def _same(self, comment: str) -> dict:
        return answers.answer(self._name, True, comment)

    def _change(self, result: bool | None, comment: str, changes: Mapping[str, Any]) -> dict:
        return answers.answer(self._name, result, comment, {self._container: changes} if changes else {})
