-- Offending rows: those who moved, came or did not return are not the groups of lens 2 (without profit in window 2
-- there may be none).
WITH groups AS (
    SELECT
        CASE WHEN customer_group IN ('new', 'returning') THEN 'second_only' ELSE customer_group END AS customer_group,
        SUM(customers) AS customers,
        SUM(profit_1) AS profit_1,
        SUM(profit_2) AS profit_2
    FROM staged_lenses_lens2_groups
    GROUP BY 1
),

moves AS (
    SELECT customer_group, SUM(customers) AS customers, SUM(profit_1) AS profit_1, SUM(profit_2) AS profit_2
    FROM staged_lenses_lens2_migration
    GROUP BY customer_group
)

SELECT g.*, m.customers AS moved, m.profit_1 AS moved_profit_1, m.profit_2 AS moved_profit_2
FROM groups AS g
CROSS JOIN staged_lenses_lens1_headline AS latest
LEFT JOIN moves AS m ON g.customer_group = m.customer_group
WHERE
    CASE
        WHEN m.customers IS NULL THEN latest.profit > 0
        ELSE m.customers <> g.customers OR m.profit_1 <> g.profit_1 OR m.profit_2 <> g.profit_2
    END
