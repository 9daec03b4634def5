-- Offending rows: grains whose cells do not add up to the orders, spend and profit of all customers whom lenses 3 to 5 see,
-- in any year.
WITH cells AS (
    SELECT grain, SUBSTR(calendar_period, 1, 4) AS year, SUM(orders) AS orders, SUM(spend) AS spend, SUM(profit) AS profit
    FROM staged_lenses_lens4_cohort_grid
    GROUP BY grain, SUBSTR(calendar_period, 1, 4)
),
years AS (
    SELECT SUBSTR(period, 1, 4) AS year, SUM(orders) AS orders, SUM(spend) AS spend, SUM(profit) AS profit
    FROM marts.customer_periods
    WHERE customer_id IN (SELECT customer_id FROM lenses.base_customers WHERE in_base)
    GROUP BY SUBSTR(period, 1, 4)
),
grains AS (
    SELECT DISTINCT grain FROM cells
)
SELECT g.grain, y.*, c.orders AS grid_orders, c.spend AS grid_spend, c.profit AS grid_profit
FROM years AS y
CROSS JOIN grains AS g
LEFT JOIN cells AS c ON g.grain = c.grain AND y.year = c.year
WHERE c.orders IS NULL OR c.orders <> y.orders OR c.spend <> y.spend OR c.profit <> y.profit
