# SPDX-License-Identifier: Apache-2.0
"""What benches measured of faults: the last part of docs/safety.md."""

from __future__ import annotations

MEASURED = """## Measured

On two cores of an EPYC that other programs kept busy; brackets are 95 % intervals. Nothing was
tuned on these seeds.

**Plans**: of 112,500 sensible, greedy, low, wild and broken plans (41,105 accepted) and 33,736
stops, followed by an arm that shares no code with the adapter, none breaks position, velocity,
acceleration, jerk, rest at the end, table, box or self-collision: 0 of 112,500 plans
[0, 0.0034 %]. A plan takes 0.45 ms of its core (50 %), 7.5 ms (99 %), 73.5 ms at most, at loads of
2 to 40 on two cores; of the first 20,000, on a quieter machine, 13.7 ms at most.
`vidplan bench adapter --plans 112500 --seed 5 --json F`

**Views that are not true** (`check_views`), while a rule handles things in the simulated cell: of
100 whole episodes none is doubted, 0 % [0, 3.6]. A frozen left, wrist or every view, and old
pictures with new stamps bring the arm to rest within 1 s in 100 of 100 tries each [96, 100], 95 %
of them within 0.57 s; noise, left and right swapped, left and wrist swapped, and a moved camera
do so, too, within 0.18 s. Faults begin while the flange is faster than 0.05 m/s.
`vidplan bench views --seed 1000100 --episodes 100`

**Joint states that cannot be true** (one joint 0.2 to 2 rad off or drifting away, another arm's,
degrees, NaN, in motion also frozen ones): 200 of 200 are named while the arm rests, 200 of 200
while it moves, 100 % [98, 100] each. The arm at rest does not move, 0 rad; the moving one leaves
the way that it was sent on by 0.0007 rad at most, and rests 0.21 s (50 %), 0.66 s (99 %) after the
fault began: 0.25 s of silence, or a drift until it is 0.15 rad, count in. A stop brings it to rest
within 0.10 s (50 %), 0.24 s (99 % and at most). `vidplan bench stops --tries 200 --seed 1000000`

**Cancels** in the running graph, real processes with a planner that only moves, at a load of nine
on the two cores: the arm rests 0.26 s (50 %), 1.13 s (99 %), 1.58 s (most) after the cancel is
sent, within 0.3 s in 121 of 200, 61 % [53, 67]. Braking takes 0.24 s of it at most; what the rest
is on an idle machine was not measured. `python -m tests.vidplan.bringup.moving.graph`, then
`vidplan bench cancels --count 200 --seed 1000000`
"""
