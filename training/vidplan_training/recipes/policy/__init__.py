# SPDX-License-Identifier: Apache-2.0
"""Trains an imitation policy on what the expert would have done in recorded moments."""
