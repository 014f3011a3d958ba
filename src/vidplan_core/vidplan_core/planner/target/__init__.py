# SPDX-License-Identifier: Apache-2.0
"""Where the target is: found in views, remembered between cycles."""
