# SPDX-License-Identifier: Apache-2.0
"""The nodes that talk: parameters, messages and diagnostics around the core."""
