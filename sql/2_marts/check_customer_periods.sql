-- Offending rows: months whose customer rows do not sum to their lines with a customer, or to their orders plus
-- what belongs to no order.
WITH lines AS (
    SELECT period, SUM(line_total) AS lines_spend, SUM(quantity) AS lines_quantity
    FROM transactions.lines
    WHERE customer_id IS NOT NULL
    GROUP BY period
),

orders AS (
    SELECT period, SUM(spend) AS orders_spend, COUNT(*) AS order_count
    FROM marts.orders
    WHERE customer_id IS NOT NULL
    GROUP BY period
),

customers AS (
    SELECT period, SUM(spend) AS spend, SUM(quantity) AS quantity, SUM(returned) AS returned, SUM(orders) AS orders
    FROM staged_marts_customer_periods
    GROUP BY period
)

SELECT *
FROM lines
FULL JOIN orders USING (period)
FULL JOIN customers USING (period)
WHERE COALESCE(lines_spend, 0) <> COALESCE(spend, 0)
    OR COALESCE(lines_quantity, 0) <> COALESCE(quantity, 0)
    OR COALESCE(orders_spend, 0) + COALESCE(returned, 0) <> COALESCE(spend, 0)
    OR COALESCE(order_count, 0) <> COALESCE(orders, 0)
