-- Offending rows: a window's bins do not hold every customer, or the latest window's are not those of lens 1.
WITH counted AS (
    SELECT window_number, measure, SUM(customers) AS customers
    FROM staged_lenses_lens2_histograms
    GROUP BY window_number, measure
),

missing AS (
    SELECT c.measure, c.window_number, CAST(NULL AS BIGINT) AS bin, c.customers, h.customers AS expected
    FROM counted AS c
    INNER JOIN staged_lenses_lens2_headline AS h ON c.window_number = h.window_number
    -- A margin is undefined at zero spend.
    WHERE c.customers > h.customers OR (c.measure <> 'margin' AND c.customers <> h.customers)
),

other AS (
    SELECT h.measure, 2 AS window_number, h.bin, l.customers, h.customers AS expected
    FROM staged_lenses_lens1_histograms AS h
    LEFT JOIN staged_lenses_lens2_histograms AS l
        ON l.window_number = 2 AND h.measure = l.measure AND h.bin = l.bin
    WHERE l.customers IS NULL OR l.customers <> h.customers
)

SELECT * FROM missing
UNION ALL
SELECT * FROM other
