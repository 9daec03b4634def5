"""Lens arithmetic that SQL engines do differently, or not at all: percentiles, histograms, shares of the best.

Belongs here: frames of customers or of their sums in, tidy frames out, the same for any order of the rows. Does not
belong here: what is a sum over customers (`sql/4_lenses/`), or as-of months and table names (`stages/lenses.py`).

Customers are frames of one row per active customer of a window: orders (Int64, at least 1), spend and profit
(Decimal(18, 2)).
"""
