# SPDX-License-Identifier: Apache-2.0
"""World model: backbones, EDM preconditioning, sampling, autoencoder, checkpoints."""

#: Names of the samplers, see `sampler.SamplingConfig`; here, where no PyTorch is loaded.
SAMPLER_KINDS = ('flow_map', 'edm', 'flow_map_clamped')

#: Through which evaluations of the network a gradient may go, see `sampler.SamplingConfig`.
GRADIENTS = ('full', 'last')

#: In what a world model computes, see `checkpoint.set_precision`.
PRECISIONS = ('auto', 'fp32', 'bf16')
