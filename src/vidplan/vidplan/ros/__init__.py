# SPDX-License-Identifier: Apache-2.0
"""What every node needs: parameters, QoS, conversions, life cycle, diagnostics."""
