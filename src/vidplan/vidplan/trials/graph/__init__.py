# SPDX-License-Identifier: Apache-2.0
"""Faults around a goal, in real processes beside a simulated arm and cameras."""
