# SPDX-License-Identifier: Apache-2.0
"""Recorded episodes of robots, from several layouts behind one interface."""
