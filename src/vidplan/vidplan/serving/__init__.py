# SPDX-License-Identifier: Apache-2.0
"""VidPlan as a policy that others run: what `vidplan serve-policy` serves."""
