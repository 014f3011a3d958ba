# SPDX-License-Identifier: Apache-2.0
"""Commands that need no robot and plan nothing: config, models, parse, doctor, completion."""
