# SPDX-License-Identifier: Apache-2.0
"""From plans to checked commands, and what stops the arm."""
