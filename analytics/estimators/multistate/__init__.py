"""Deals that move between stages: where they are, how long they stay, where they go next.

Input is one row per deal and stay in a stage (`history.stage_rows` makes them): `deal_id`, `entry` and `exit` in days
after opening (at risk of moving on `(entry, exit]`), the stage `from` and the stage or outcome `to` that the deal moved
to at `exit` (missing where it was still there when last seen). `rows` reads and checks them, `table` counts them,
`process` turns counts into transition matrices, `influence` follows what every deal adds to the error; the questions
are `probabilities`, `occupation`, `stay`, `next_stage`, `landmark`, `markov` and `regression`. They assume that where a
deal goes next depends on where it is and on its age, not on how it got there (Markov), except where their docstring
says less: state occupation needs no such assumption (Datta & Satten 2001), and `markov.markov_test` tests it.
"""
