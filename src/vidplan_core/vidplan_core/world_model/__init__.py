# SPDX-License-Identifier: Apache-2.0
"""World model: backbones, EDM preconditioning, sampling, autoencoder, checkpoints."""
