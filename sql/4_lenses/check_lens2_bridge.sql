-- Offending rows: the steps of the bridge do not lead from the first window's profit to the second's.
WITH bridge AS (
    SELECT
        SUM(CASE WHEN item <> 'window_2' THEN profit ELSE 0 END) AS steps,
        SUM(CASE WHEN item = 'window_2' THEN profit ELSE 0 END) AS window_2
    FROM staged_lenses_lens2_bridge
)
SELECT b.*, h.profit AS headline_profit
FROM bridge AS b
CROSS JOIN staged_lenses_lens1_headline AS h
WHERE b.steps <> b.window_2 OR b.window_2 <> h.profit
