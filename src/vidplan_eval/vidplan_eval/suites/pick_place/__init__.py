# SPDX-License-Identifier: Apache-2.0
"""The suite `pick_place`: put the named object, one of several, into the bowl."""
