"""Simulations: do intervals hold the truth, and do tests refuse, as often as they say?

One module per family of estimators, each with a tuple `SCENARIOS`; `run.py` plays them all and writes `results/*.csv`
and `README.md`. See `scenario.py` for how a scenario is written.
"""
