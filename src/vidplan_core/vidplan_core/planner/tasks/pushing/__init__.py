# SPDX-License-Identifier: Apache-2.0
"""How a thing is pushed: its way, the stages, and what looks have shown."""
