# SPDX-License-Identifier: Apache-2.0
"""What goes in and out: observations, pose chunks, history."""
