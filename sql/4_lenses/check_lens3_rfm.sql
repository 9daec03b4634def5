-- Offending rows: cohorts whose RFM cells do not add up to their customers and profit to date.
WITH cells AS (
    SELECT grain, cohort, SUM(customers) AS customers, SUM(orders) AS orders, SUM(profit) AS profit
    FROM staged_lenses_lens3_rfm
    GROUP BY grain, cohort
),
deciles AS (
    SELECT grain, cohort, SUM(customers) AS customers, SUM(orders) AS orders, SUM(profit) AS profit
    FROM staged_lenses_lens3_value_deciles
    GROUP BY grain, cohort
)
SELECT d.*, c.customers AS rfm_customers, c.orders AS rfm_orders, c.profit AS rfm_profit
FROM deciles AS d
LEFT JOIN cells AS c ON d.grain = c.grain AND d.cohort = c.cohort
WHERE c.customers IS NULL OR c.customers <> d.customers OR c.orders <> d.orders OR c.profit <> d.profit
