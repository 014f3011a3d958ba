# SPDX-License-Identifier: Apache-2.0
"""Property tests that are quick and the same in every run."""

from __future__ import annotations

from hypothesis import settings

# No deadline: on a shared machine a test's time says little about the code.
settings.register_profile('vidplan', deadline=None, max_examples=50, derandomize=True)
settings.load_profile('vidplan')
