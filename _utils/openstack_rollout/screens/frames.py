"""The HTML files that people look at, made of their templates. These escape every value.

Only what writes such a file imports this, since it needs jinja2.
"""

from __future__ import annotations

from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined

from openstack_rollout.screens.templates import head, live, release_diff, report, timeline

#: Of a file without any script, with nothing from elsewhere.
NO_SCRIPT = "default-src 'none'; style-src 'unsafe-inline'"
_TEMPLATES = {
    **{"head": head.TEXT, "report": report.TEXT, "live": live.TEXT, "timeline": timeline.TEXT},
    "release_diff": release_diff.TEXT,
}


def rendered(name: str, policy: str, page_title: str, style: str, **values: Any) -> str:
    """A whole file.

    name: report, live or release_diff. policy: its Content-Security-Policy. style: its CSS. values: what its
    template asks for beside them.
    """
    environment = Environment(
        loader=DictLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    given = {"policy": policy, "page_title": page_title, "style": style, **values}
    return environment.get_template(name).render(given)
