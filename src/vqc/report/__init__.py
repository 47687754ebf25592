"""Runs and grids → one page that says how good they are, where they fail, and where from.

In: run folders and a grid folder. Out: one HTML file that needs nothing else, and the figures
beside it. `reading` and `grids` read, `compare` and `answer` compute, `evaluation`, `sections`
and `page` write, `build` does it all.
"""
