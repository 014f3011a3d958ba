# SPDX-License-Identifier: Apache-2.0
"""Commands about recordings and data: record, replay, convert, check, report."""
