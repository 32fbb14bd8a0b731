"""What the tests of drains share: a record that remembers as the journal does."""

import copy

import pytest


class Record:
    """Keeps what was saved last, as the journal would after a death."""

    def __init__(self):
        self.data, self.saved = {}, {}

    def save(self):
        self.saved = copy.deepcopy(self.data)


@pytest.fixture
def record():
    return Record()
