-- Offending rows: months of the company that differ from their lines, or from their customers plus what has no
-- customer.
WITH line_totals AS (
    SELECT period, COUNT(*) AS lines_seen, SUM(line_total) AS lines_spend
    FROM transactions.lines
    GROUP BY period
),

order_totals AS (
    SELECT period, COUNT(*) AS orders_seen
    FROM marts.orders
    GROUP BY period
),

customer_totals AS (
    SELECT period, SUM(spend) AS customers_spend
    FROM marts.customer_periods
    GROUP BY period
)

SELECT *
FROM staged_marts_periods AS p
FULL JOIN line_totals USING (period)
FULL JOIN order_totals USING (period)
FULL JOIN customer_totals USING (period)
WHERE COALESCE(p.lines, 0) <> COALESCE(lines_seen, 0)
    OR COALESCE(p.spend, 0) <> COALESCE(lines_spend, 0)
    OR COALESCE(p.orders, 0) <> COALESCE(orders_seen, 0)
    OR COALESCE(customers_spend, 0) + COALESCE(p.spend_without_customer, 0) <> COALESCE(p.spend, 0)
