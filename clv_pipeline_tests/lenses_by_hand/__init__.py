"""The lenses read a second time, from quarterly aggregates of customers and in plain Python, and compared."""
