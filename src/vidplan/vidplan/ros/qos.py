# SPDX-License-Identifier: Apache-2.0
"""The quality of service of every kind of topic, in one place."""

from __future__ import annotations

from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSProfile,
    ReliabilityPolicy,
    qos_profile_sensor_data,
)

# A best-effort subscription accepts reliable and best-effort publishers alike, so every sensor
# is read with this one (cameras, joint states, /franka/joint_states, /joint_states).
SENSOR = qos_profile_sensor_data

# The newest picture only: what is not read before the next one comes is not read at all.
CAMERA = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
)

# As SENSOR, of what is not read one by one: a tenth of a second at 1 kHz.
BATCH = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=100, reliability=ReliabilityPolicy.BEST_EFFORT
)

# Of a driver: many a second, and reliable for whoever asks for that.
STATES = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.RELIABLE
)

# Reliable, because each of them is planned from, and shallow, because only fresh ones are.
OBSERVATION = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.RELIABLE
)

# Only the newest command counts.
COMMAND = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE
)

# A late joiner gets the last one.
LATCHED = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)

# Pictures and markers for people and reports. Reliable: what draws them usually asks for that.
PREVIEW = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=3, reliability=ReliabilityPolicy.RELIABLE
)

# Rare and worth keeping: goals and their results.
EVENT = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.RELIABLE
)

DIAGNOSTICS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.RELIABLE
)
