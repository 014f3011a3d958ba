# SPDX-License-Identifier: Apache-2.0
"""Whether touching is foreseen, and whether the value sees it."""
