# SPDX-License-Identifier: Apache-2.0
"""The success detector: recorded endings, and what learns from them."""
