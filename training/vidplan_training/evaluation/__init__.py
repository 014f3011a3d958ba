# SPDX-License-Identifier: Apache-2.0
"""Offline evaluation of trained models on episodes that they never saw."""
