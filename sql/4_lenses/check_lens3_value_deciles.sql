-- Offending rows: cohorts whose value deciles do not add up to their customers, orders, spend and profit to date.
WITH deciles AS (
    SELECT grain, cohort, SUM(customers) AS customers, SUM(orders) AS orders, SUM(spend) AS spend, SUM(profit) AS profit
    FROM staged_lenses_lens3_value_deciles
    GROUP BY grain, cohort
),
cells AS (
    SELECT grain, cohort, MAX(cohort_size) AS cohort_size, SUM(orders) AS orders, SUM(spend) AS spend,
        SUM(profit) AS profit
    FROM lenses.cohort_cells
    WHERE cohort_size IS NOT NULL
    GROUP BY grain, cohort
)
SELECT c.*, d.customers, d.orders AS decile_orders, d.spend AS decile_spend, d.profit AS decile_profit
FROM cells AS c
LEFT JOIN deciles AS d ON c.grain = d.grain AND c.cohort = d.cohort
WHERE d.customers IS NULL OR d.customers <> c.cohort_size OR d.orders <> c.orders OR d.spend <> c.spend
    OR d.profit <> c.profit
