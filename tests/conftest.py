"""Settings that all tests share: the Hypothesis profiles."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_SLOW_MACHINE = [HealthCheck.too_slow]

settings.register_profile("dev", deadline=None, max_examples=30, suppress_health_check=_SLOW_MACHINE)
settings.register_profile("ci", deadline=None, max_examples=40, suppress_health_check=_SLOW_MACHINE, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
