# SPDX-License-Identifier: Apache-2.0
"""What benches measured of faults: the last part of docs/safety.md."""

from __future__ import annotations

MEASURED = """## Measured

On two cores of an EPYC that other programs kept busy; brackets are 95 % intervals. Nothing was
tuned on these seeds.

**Plans**: of 1,000,000 sensible, greedy, low, wild and broken plans (363,742 accepted) and 300,645
stops, followed by an arm that shares no code with the adapter, none breaks position, velocity,
acceleration, jerk, rest at the end, table, box or self-collision: 0 of 1,000,000 plans [0, 0.0004
%]. A plan takes 0.28 ms of its core (50 %), 6.0 ms (99 %), 28.1 ms at most, in a process of high
priority beside others (330,200 more with `--seed 5`, no violation, at loads of 2 to 20 on the two
cores: 7.5 ms and 93.6 ms at most). `vidplan bench adapter --plans 1000000 --seed 6 --json F`

**Views that are not true** (`check_views`), while a rule handles things in the simulated cell: of
100 whole episodes none is doubted, 0 % [0, 3.6]. A frozen left, wrist or every view, and old
pictures with new stamps bring the arm to rest within 1 s in 100 of 100 tries each [96, 100], 95 %
of them within 0.57 s; noise, left and right swapped, left and wrist swapped, and a moved camera
do so, too, within 0.18 s. Faults begin while the flange is faster than 0.05 m/s.
`vidplan bench views --seed 1000100 --episodes 100`

**What comes out otherwise than imagined** (`stop_on_surprise`), while a rule handles things in
the simulated cell, by `models/cell_contact`: of 100 whole episodes none would be stopped, 0 % [0,
3.6], of their 1,615 looks none, 0 % [0, 0.23]; the most surprising is at 1.46 nats, allowed 2.5.
Another scene, left and right swapped, left and wrist swapped, a moved camera and noise are
stopped in 99 of 99 tries each [96, 100] by the second look after they began, 0.8 s, all but one
of noise by the first. Old pictures are in 26 of 99, frozen ones in none: those are for
`check_views`. A thing that is moved by 8 cm stops 7 of 93. Without a stop one is warned of the
moved thing in 66 of 93, 71 % [61, 80], the one that is taken away in 25 of 99, 25 % [17, 35], the
one that slips in 24 of 98, 24 % [16, 34], and true looks in 6 of 1,615, 0.4 % [0.14, 0.81]. Areas
under the curve of the first look beside the same look without a fault:

| | surprise | part of a view | novelty | uncertainty |
| --- | --- | --- | --- | --- |
| another scene | 1 [1, 1] | 1 [1, 1] | 0.40 [0.32, 0.48] | 0.44 [0.37, 0.50] |
| sides swapped | 1 [1, 1] | 1 [1, 1] | 0.94 [0.91, 0.97] | 0.62 [0.60, 0.65] |
| moved camera | 1 [1, 1] | 1 [1, 1] | 0.81 [0.76, 0.86] | 0.58 [0.56, 0.60] |
| noise | 1 [1, 1] | 1 [1, 1] | 0.63 [0.59, 0.68] | 0.51 [0.49, 0.52] |
| thing moved | 0.99 [0.98, 1.00] | 1.00 [0.99, 1.00] | 0.52 [0.48, 0.57] | 0.50 [0.46, 0.55] |
| thing taken | 0.94 [0.91, 0.96] | 0.99 [0.97, 1.00] | 0.36 [0.31, 0.39] | 0.42 [0.37, 0.45] |
| thing slips | 0.97 [0.96, 0.99] | 0.99 [0.99, 1.00] | 0.51 [0.45, 0.58] | 0.32 [0.27, 0.37] |
| left frozen | 0.70 [0.65, 0.74] | 0.91 [0.87, 0.95] | 0.48 [0.47, 0.50] | 0.49 [0.48, 0.51] |

Bounds are of tuning seeds: 12 planned carrot episodes, closings that slip included, have 1.65 nats
at most as a whole and 6.2 in a part. Real cameras, whose light and exposure change, were not there
to measure on. `vidplan bench outcomes --models models/cell_contact --seed 1000300 --episodes 100
--json F`

**Joint states that cannot be true** (one joint 0.2 to 2 rad off or drifting away, another arm's,
degrees, NaN, in motion also frozen ones): 200 of 200 are named while the arm rests, 200 of 200
while it moves, 100 % [98, 100] each. The arm at rest does not move, 0 rad; the moving one leaves
the way that it was sent on by 0.0007 rad at most, and rests 0.21 s (50 %), 0.66 s (99 %) after the
fault began: 0.25 s of silence, or a drift until it is 0.15 rad, count in. A stop brings it to rest
within 0.10 s (50 %), 0.24 s (99 % and at most). `vidplan bench stops --tries 200 --seed 1000000`

**Live faults**, each at a random moment of a motion: the real adapter node beside a simulated arm,
in a process whose time stands still while other programs hold it up; then the real processes of
the graph with a planner that only moves, at a priority above other programs (`autogroup` -20),
which otherwise hold them up for longer than the bounds. At loads of 14 and 7 (median) on two cores
the arm rests within 0.3 s of the bound in 999 of 1000, [99.4, 100] %, the fault is named in 1000
of 1000, [99.6, 100] %, and it moves again with nothing else restarted in 1000 of 1000, [99.6, 100]
%; of one fault, 20 of 20 is [83, 100] %. The last column is from the bound to rest, 50 % and most.
Clocks that are set, plans into a box or out of reach, and what needs messages of ros2_controllers
or Franka are left to the tests. `vidplan bench faults --tries 20 --cancels 200 --seed 1000000
--json F`

| fault | bound | tries | at rest | named | recovered | after the bound |
| --- | --- | --- | --- | --- | --- | --- |
| `joints_stop` | 0.25 s | 20 | 20 | 20 | 20 | 0.09, 0.10 s |
| `joints_nan` | 0.25 s | 20 | 20 | 20 | 20 | 0.08, 0.09 s |
| `joints_wrong` | 0.25 s | 20 | 20 | 20 | 20 | 0.09, 0.10 s |
| `joints_others` | 0.25 s | 20 | 20 | 20 | 20 | 0.09, 0.10 s |
| `joints_ahead` | 0.25 s | 20 | 20 | 20 | 20 | 0.00, 0.00 s |
| `joints_jump` | the next state | 20 | 20 | 20 | 20 | 0.09, 0.10 s |
| `joints_impossible` | the next state | 20 | 20 | 20 | 20 | 0.09, 0.10 s |
| `joints_astray` | 0.15 rad at 0.6 rad/s | 20 | 20 | 20 | 20 | 0.00, 0.00 s |
| `joints_frozen` | 0.03 rad, 0.1 s | 20 | 20 | 20 | 20 | 0.04, 0.07 s |
| `someone_else` | the end of the other's motion | 20 | 20 | 20 | 20 | 0.00, 0.00 s |
| `controller_none` | the end of what was sent | 20 | 20 | 20 | 20 | 0.00, 0.00 s |
| `controller_refuses` | the next state | 20 | 20 | 20 | 20 | 0.08, 0.09 s |
| `reflex` | the next state | 20 | 20 | 20 | 20 | 0.00, 0.00 s |
| `recovery` | the next state | 20 | 20 | 20 | 20 | 0.00, 0.00 s |
| `stopped_by_hand` | the next state | 20 | 20 | 20 | 20 | 0.00, 0.00 s |
| `robot_idle` | the next state | 20 | 20 | 20 | 20 | 0.00, 0.00 s |
| `robot_silent` | 0.25 s | 20 | 20 | 20 | 20 | 0.08, 0.13 s |
| `contact` | the next state | 20 | 20 | 20 | 20 | 0.09, 0.10 s |
| `stop` | at once | 20 | 20 | 20 | 20 | 0.08, 0.09 s |
| `adapter_ends` | at once | 20 | 20 | 20 | 20 | 0.08, 0.09 s |
| `transition` | the end of what was sent | 20 | 20 | 20 | 20 | 0.00, 0.00 s |
| `plan_none` | the end of what was sent | 20 | 20 | 20 | 20 | 0.00, 0.00 s |
| 12 kinds of bad plans | the end of what was sent | 240 | 240 | 240 | 240 | 0.00, 0.00 s |
| `camera_stops` | 0.6 s | 20 | 20 | 20 | 20 | 0.05, 0.12 s |
| `cameras_stop` | 0.6 s | 20 | 20 | 20 | 20 | 0.06, 0.09 s |
| `camera_stamp` | 0.6 s | 20 | 20 | 20 | 20 | 0.05, 0.10 s |
| `camera_dark` | 0.6 s | 20 | 20 | 20 | 20 | 0.05, 0.09 s |
| `camera_size` | 0.6 s | 20 | 20 | 20 | 20 | 0.06, 0.14 s |
| `hand_state` | 0.5 s and 0.6 s | 20 | 20 | 20 | 20 | 0.02, 0.06 s |
| `stitcher_killed` | 0.6 s | 20 | 20 | 20 | 20 | 0.04, 0.09 s |
| `server_killed` | the end of what was sent | 20 | 20 | 20 | 20 | 0.00, 0.00 s |
| `server_paused` | the end of what was sent | 20 | 20 | 20 | 20 | 0.00, 0.00 s |
| `server_ends` | at once | 20 | 20 | 20 | 20 | 0.09, 0.16 s |
| `adapter_killed` | the end of what was sent | 20 | 20 | 20 | 20 | 0.00, 0.00 s |
| `adapter_paused` | the end of what was sent | 20 | 20 | 20 | 20 | 0.00, 0.00 s |
| `adapter_fault` | the next state | 20 | 20 | 20 | 20 | 0.08, 0.10 s |
| `callback_fails` | the next observation, 0.1 s | 20 | 20 | 20 | 20 | 0.03, 0.09 s |
| `callback_fails_adapter` | the next state | 20 | 20 | 20 | 20 | 0.08, 0.10 s |
| `respawn` | 0.6 s | 20 | 20 | 20 | 20 | 0.06, 0.10 s |
| `respawn_server` | the end of what was sent | 20 | 20 | 20 | 20 | 0.00, 0.00 s |
| `model_fails` | the next plan, 0.8 s | 20 | 20 | 20 | 20 | 0.00, 0.00 s |
| `time_limit` | the limit | 20 | 20 | 20 | 20 | 0.11, 0.27 s |
| `preempt` | at once | 20 | 19 | 20 | 20 | 0.09, 0.32 s |

Callbacks that fail (in the planning server, in the adapter) and processes that are killed and
started again by what `vidplan up` does (the stitcher, the planning server), nobody helping, were
tried later, at loads of 5.6, in a domain of their own (`ROS_DOMAIN_ID=77 vidplan bench faults
--only callback_fails callback_fails_adapter respawn respawn_server --tries 20 --cancels 0 --seed
1000002`); they are not in the counts above. Before that, in a domain in which other graphs ran
and had been killed, two of seven planning servers that were started again so came up, but took
part in nothing: of one it is known that Fast DDS could not open its shared memory (`Failed
init_port`). The arm rests then, and the planner says what it waits for.

Not as it should be: `preempt` rests later in 1 of 20. That one preemption rested 0.316 s after it
was sent. In the first 20 tries of three faults, one each of someone_else and robot_idle was not
recovered from and one of plan_fast not named, because a resting arm that was pushed again and
again came to where random plans were out of reach, or left the workspace instead of being too
fast; that is mended in how plans are drawn, and these three were tried again: their rows are of
that. Processes that were killed (`kill -9`) and started again took part in 60 of 60 tries, in 0
only when started once more. With the 512 KiB of shared memory that Fast DDS takes by default,
pictures or joint states were missing after 5 of 67 kills, as what a killed reader held is not
given back; whoever publishes pictures here takes 8 MiB. A priority of SCHED_RR for all processes
makes them wait for each other: 18 of 200 cancels then took longer than 0.3 s. Tried again while
nothing else ran (load 1.1), preemptions and processes killed (`--only preempt adapter_killed
stitcher_killed --tries 20 --seed 1000001`) rest in 60 of 60, a preemption 0.09 s after it at
most.

**Franka's own interface**, against a server of its protocol that reproduces reflexes
(`scripts/franka_sim.sh DIR`, `DIR/serve --wait --enforce-motion-limits
--enforce-comm-constraints`), in simulated time, as the server waits for each command: in ten
minutes of picks, stops and all other kinds of plans, 600,006 commands, 1453 of 1972 plans
followed, 434 rad, the arm never stops itself, [0, 0.37] a minute; four trajectories came too late
to be joined, and were refused by name. When the process at the arm is then held up for 3 s, the
arm stops itself (`communication_constraints_violation`), and moves again after recovery.
`vidplan bench fci --simulated-time --seconds 600 --provoke --seed 1000000 --json F`; tests do the
same for some seconds, grasp with the hand, and drive the arm by goals through the whole graph. In
real time, without a real-time kernel and beside other programs, server and process were held up
for 2 to 8 ms at a time, with SCHED_FIFO, too, and in five runs the arm stopped itself after 2 to
78 s: the server takes commands that came late, which a robot drops, and its arm moved on faster
than it was commanded. A machine that keeps up was not there to measure on.

**Cancels** in the same graph: the arm rests 0.09 s (50 %), 0.17 s (99 %), 0.25 s (most) after the
cancel is sent, within 0.3 s in 200 of 200, 100.0 % [98.2, 100]; braking takes 0.24 s of it at
most. At a load of nine and without a priority it was 0.26 s (50 %), 1.13 s (99 %).
"""
