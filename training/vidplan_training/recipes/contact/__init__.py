# SPDX-License-Identifier: Apache-2.0
"""Trains what foresees touching: world model with readouts, uncertainty and value, in one run."""
