# SPDX-License-Identifier: Apache-2.0
"""A recorded run, judged in hindsight."""
