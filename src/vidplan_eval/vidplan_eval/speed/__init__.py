# SPDX-License-Identifier: Apache-2.0
"""How long planning and its parts take."""
