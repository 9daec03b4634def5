-- Offending rows: the company's month differs from its lines, or from its customers plus what has no
-- customer.
WITH totals AS (
    SELECT
        p.lines, p.spend, p.orders, p.profit, p.spend_without_customer,
        (SELECT COUNT(*) FROM transactions.lines) AS lines_seen,
        (SELECT COALESCE(SUM(line_total), 0) FROM transactions.lines) AS lines_spend,
        (SELECT COUNT(*) FROM marts.orders) AS orders_seen,
        (SELECT COALESCE(SUM(spend), 0) FROM marts.customer_periods) AS customers_spend
    FROM staged_marts_periods AS p
)
SELECT *
FROM totals
WHERE lines <> lines_seen OR spend <> lines_spend OR orders <> orders_seen
    OR customers_spend + spend_without_customer <> spend
