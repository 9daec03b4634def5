-- Offending rows: the month's customer rows do not sum to its lines with a customer, or to its orders plus
-- what belongs to no order.
WITH totals AS (
    SELECT
        (SELECT COALESCE(SUM(line_total), 0) FROM transactions.lines WHERE customer_id IS NOT NULL) AS lines_spend,
        (SELECT COALESCE(SUM(quantity), 0) FROM transactions.lines WHERE customer_id IS NOT NULL) AS lines_quantity,
        (SELECT COALESCE(SUM(spend), 0) FROM marts.orders WHERE customer_id IS NOT NULL) AS orders_spend,
        (SELECT COUNT(*) FROM marts.orders WHERE customer_id IS NOT NULL) AS order_count,
        (SELECT COALESCE(SUM(spend), 0) FROM staged_marts_customer_periods) AS spend,
        (SELECT COALESCE(SUM(quantity), 0) FROM staged_marts_customer_periods) AS quantity,
        (SELECT COALESCE(SUM(returned), 0) FROM staged_marts_customer_periods) AS returned,
        (SELECT COALESCE(SUM(orders), 0) FROM staged_marts_customer_periods) AS orders
)
SELECT *
FROM totals
WHERE lines_spend <> spend OR lines_quantity <> quantity OR orders_spend + returned <> spend OR order_count <> orders
