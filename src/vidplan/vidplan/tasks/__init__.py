# SPDX-License-Identifier: Apache-2.0
"""Following one goal after the other: goal server, cycle, endings."""
