-- One row per window and decile on the cut-offs that both windows share: how many of the active customers earned
-- lower < profit <= upper (null: open). Always 20, or none where there are no cut-offs.
WITH counted AS (
    SELECT
        1 AS window_number,
        decile_1 AS decile,
        SUM(customers) AS customers,
        SUM(profit_1) AS profit
    FROM lenses.decile_moves
    GROUP BY decile_1
    UNION ALL
    SELECT
        2 AS window_number,
        decile_2 AS decile,
        SUM(customers) AS customers,
        SUM(profit_2) AS profit
    FROM lenses.decile_moves
    GROUP BY decile_2
)

SELECT
    $as_of AS as_of,
    w.window_number,
    d.decile,
    d.lower,
    d.upper,
    CAST(COALESCE(c.customers, 0) AS BIGINT) AS customers,
    CAST(COALESCE(c.customers, 0) AS DOUBLE) / NULLIF(CAST(w.customers AS DOUBLE), 0) AS share_customers,
    CAST(COALESCE(c.profit, 0) AS DECIMAL(18, 2)) AS profit,
    CAST(COALESCE(c.profit, 0) AS DOUBLE) / NULLIF(CAST(w.profit AS DOUBLE), 0) AS share_profit
FROM lenses.decile_cutoffs AS d
CROSS JOIN lenses.window_headlines AS w
LEFT JOIN counted AS c ON d.decile = c.decile AND w.window_number = c.window_number
ORDER BY w.window_number, d.decile
