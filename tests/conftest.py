"""What all tests share: laws judge answers, not the speed of a machine that has other work too."""

from __future__ import annotations

from contextlib import suppress

with suppress(ModuleNotFoundError):  # the containers are tested without hypothesis
    from hypothesis import HealthCheck, settings

    settings.register_profile("laws", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("laws")
