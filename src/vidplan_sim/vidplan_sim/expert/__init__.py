# SPDX-License-Identifier: Apache-2.0
"""Who knows where everything is: a script, and a rule that decides anew every 0.4 s."""
