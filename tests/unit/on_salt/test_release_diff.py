"""Files of advisories that an operator gives: read before any release is compared."""

from __future__ import annotations

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import release_diff
from tests.unit.cloud_pillar import NEW, OLD, model


def test_a_file_that_only_zstd_unpacks_is_refused_with_what_to_do(tmp_path):
    """As createrepo_c packs updateinfo.xml by default today."""
    file = tmp_path / "updateinfo.xml.zst"
    file.write_bytes(b"\x28\xb5\x2f\xfd\x04\x00")
    with pytest.raises(RolloutError, match=r"^WRONG_ARGUMENT: .*updateinfo\.xml\.zst: .*zstd -d"):
        release_diff.diff(model(), OLD, NEW, None, advisories=[str(file)])
