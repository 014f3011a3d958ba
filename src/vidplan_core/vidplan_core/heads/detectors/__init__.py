# SPDX-License-Identifier: Apache-2.0
"""Networks that look at crops of what the cameras show."""
