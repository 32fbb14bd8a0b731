"""What an operator reads when a command ends otherwise than by success."""

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt.console import told
from openstack_rollout.on_salt.refusal import Refusal


def test_a_refusal_is_one_line_with_its_remedy():
    with (
        pytest.raises(Refusal, match=r"^NODE_SILENT: cmp1: no sign of life\. Bring the node .* run again\.$"),
        told(),
    ):
        raise RolloutError("NODE_SILENT", "cmp1: no sign of life")


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit])
def test_an_interruption_is_one_line_too(signal):
    with pytest.raises(Refusal, match=r"^INTERRUPTED: jobs .* go on\. Run again"), told():
        raise signal
