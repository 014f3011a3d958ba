# SPDX-License-Identifier: Apache-2.0
"""Distributions that heads predict: their bins, and what is read from them."""
