# SPDX-License-Identifier: Apache-2.0
"""Result files compared: tables with exact intervals, paired tests, pictures."""
