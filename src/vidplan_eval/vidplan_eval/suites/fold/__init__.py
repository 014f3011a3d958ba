# SPDX-License-Identifier: Apache-2.0
"""The suite `fold`: fold the towel in half, wherever it lies."""
