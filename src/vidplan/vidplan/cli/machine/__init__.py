# SPDX-License-Identifier: Apache-2.0
"""Commands about this machine and its files: config, doctor, completion."""
