# SPDX-License-Identifier: Apache-2.0
"""Instructions, and where pictures show what they name."""
