-- Offending rows: the steps of the bridge do not lead from the first window's profit to the second's.
WITH bridge AS (
    SELECT
        SUM(CASE WHEN item = 'window_1' THEN profit ELSE 0 END) AS window_1,
        SUM(CASE WHEN item <> 'window_2' THEN profit ELSE 0 END) AS steps,
        SUM(CASE WHEN item = 'window_2' THEN profit ELSE 0 END) AS window_2
    FROM staged_lenses_lens2_bridge
),

headline AS (
    SELECT
        SUM(CASE WHEN window_number = 1 THEN profit ELSE 0 END) AS profit_1,
        SUM(CASE WHEN window_number = 2 THEN profit ELSE 0 END) AS profit_2
    FROM staged_lenses_lens2_headline
)

SELECT *
FROM bridge AS b
CROSS JOIN headline AS h
WHERE b.window_1 <> h.profit_1 OR b.steps <> b.window_2 OR b.window_2 <> h.profit_2
