# SPDX-License-Identifier: Apache-2.0
"""Commands that measure or draw one thing: bench, landscape, score."""
