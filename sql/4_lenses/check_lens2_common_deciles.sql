-- Offending rows: the deciles of a window do not sum to its headline (without profit in window 2 there may be none).
WITH deciles AS (
    SELECT window_number, SUM(customers) AS customers, SUM(profit) AS profit
    FROM staged_lenses_lens2_common_deciles
    GROUP BY window_number
)

SELECT h.window_number, h.customers, h.profit, d.customers AS in_deciles, d.profit AS profit_of_deciles
FROM staged_lenses_lens2_headline AS h
CROSS JOIN staged_lenses_lens1_headline AS latest
LEFT JOIN deciles AS d ON h.window_number = d.window_number
WHERE
    CASE
        WHEN d.customers IS NULL THEN latest.profit > 0
        ELSE d.customers <> h.customers OR d.profit <> h.profit
    END
