"""What a terminal shows of two releases compared."""

from __future__ import annotations

import pytest

from openstack_rollout.declared import release_diff
from openstack_rollout.screens import release_diff as screen
from tests.unit.cloud_pillar import NEW, OLD, model


@pytest.mark.wording
@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (OLD, NEW, f"{OLD} to {NEW}; "),
        (NEW, OLD, f"{NEW} to {OLD}: an older one; "),
        (NEW, NEW, f"{NEW} to {NEW}: the same; 0 images differ, "),
    ],
)
def test_the_heading_says_which_is_newer(first, second, said):
    assert screen.heading(release_diff.content(model(), first, second)).startswith(said)
