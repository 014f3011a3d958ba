# SPDX-License-Identifier: Apache-2.0
"""Pictures, videos, charts and reports."""
