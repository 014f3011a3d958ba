# SPDX-License-Identifier: Apache-2.0
"""The table of processes, and what starts and ends them."""
