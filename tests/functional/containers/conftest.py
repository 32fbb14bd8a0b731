"""One machine for the modules of this package, which follow one another on it, as that of dnf does."""

from __future__ import annotations

from ..dnf.conftest import machine  # noqa: F401
