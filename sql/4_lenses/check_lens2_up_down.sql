-- Offending rows: the directions do not sum to those who bought in both windows, or to their step in the bridge.
WITH directions AS (
    SELECT
        COALESCE(SUM(customers), 0) AS customers,
        COALESCE(SUM(profit_1), 0) AS profit_1,
        COALESCE(SUM(profit_2), 0) AS profit_2,
        COALESCE(SUM(profit_change), 0) AS profit_change
    FROM staged_lenses_lens2_up_down
)

SELECT d.*, g.customers AS in_both, g.profit_1 AS both_profit_1, g.profit_2 AS both_profit_2, b.profit AS step_of_bridge
FROM directions AS d
CROSS JOIN staged_lenses_lens2_groups AS g
CROSS JOIN staged_lenses_lens2_bridge AS b
WHERE
    g.customer_group = 'both'
    AND b.item = 'change_in_both'
    AND (
        d.customers <> g.customers
        OR d.profit_1 <> g.profit_1
        OR d.profit_2 <> g.profit_2
        OR d.profit_change <> b.profit
    )
