"""What many pictures say together: rates with their intervals, tests, curves over checkpoints, and what they suggest.

`readings` remembers what the measures say of each picture of a run, `scores` counts that into rates beside the base
model's, `claims` holds a project's claims against them. `scores.json` in the run folder is read without numpy.
"""
