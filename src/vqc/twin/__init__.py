"""A camera's twin: a few labelled photos and a look → a look whose renders are as the photos are.

photos ──statistics──┐
look ──simulate──────┴─fit──▶ look ──simulate, sheet──▶ both side by side
"""
