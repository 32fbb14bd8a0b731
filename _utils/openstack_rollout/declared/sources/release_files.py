"""A release file of this project, such as the release as found that a survey writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from openstack_rollout.declared.sources.documents import below, mapped
from openstack_rollout.declared.sources.found import Listed, Named, Source, Style
from openstack_rollout.declared.version_order import Said

_APART = ("images", "order", "follows")


def read(document: Any) -> Source:
    """document: with its types, as of documents.typed; openstack:releases is a mapping."""
    releases = below(document, "openstack", "releases")
    found = [
        Listed(
            str(version),
            tuple(_images(below(one, "images"))),
            Said(below(one, "order"), below(one, "follows")),
            more={key: value for key, value in mapped(one).items() if key not in _APART},
        )
        for version, one in releases.items()
    ]
    return Source("release file", Style.KEY, tuple(found), choose=len(found) > 1)


def _images(images: Any) -> Iterator[Named]:
    for name, value in mapped(images).items():
        if isinstance(value, Mapping) and value:
            yield from (Named(name, str(one or ""), name, backend) for backend, one in mapped(value).items())
        else:
            yield Named(name, value if isinstance(value, str) else "", name)
