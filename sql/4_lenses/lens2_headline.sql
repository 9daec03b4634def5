-- One row per window (2 ends at $as_of, 1 just before it): its active customers and their averages.
SELECT * FROM lenses.window_headlines ORDER BY window_number
