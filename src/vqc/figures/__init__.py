"""Figures of evaluations, trainings and grids: plain data in, a PNG out.

Each module draws one kind. Nothing here reads a run: `report` and the commands hand over
values. A score that is not honest carries its mark, in words, on every figure that shows it.
"""
