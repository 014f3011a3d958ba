# SPDX-License-Identifier: Apache-2.0
"""Why a policy server gave no usable answer: the `reason` of a PolicyServerError."""

from __future__ import annotations

# Nobody takes the connection, or it broke.
UNREACHABLE = 'UNREACHABLE'
# It failed a moment ago, and is not asked again yet.
WAITING = 'WAITING'
# No answer within the time that planning leaves.
SILENT = 'SILENT'
# The same answer again and again while the arm moves.
STALE = 'STALE'
# An answer that is no message, or no chunk of finite commands of the right shape.
MALFORMED = 'MALFORMED'
# An error in words.
REFUSED = 'REFUSED'
