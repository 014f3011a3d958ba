# SPDX-License-Identifier: Apache-2.0
"""Commands that answer others: the operator's page, and the planner as a policy."""
