-- One row per window (2 ends at $as_of, 1 before it), always two: its active customers and their averages.
--
-- Active is who ordered in the window. spend + returned_by_inactive is all spend of customers in the window:
-- the second is of customers who only returned.
WITH totals AS (
    SELECT
        1 AS window_number,
        COUNT(*) FILTER (WHERE orders_1 > 0) AS customers,
        SUM(orders_1) AS orders,
        SUM(spend_1) FILTER (WHERE orders_1 > 0) AS spend,
        SUM(profit_1) FILTER (WHERE orders_1 > 0) AS profit,
        SUM(spend_1) FILTER (WHERE orders_1 = 0) AS returned
    FROM lenses.window_customers
    UNION ALL
    SELECT
        2 AS window_number,
        COUNT(*) FILTER (WHERE orders_2 > 0) AS customers,
        SUM(orders_2) AS orders,
        SUM(spend_2) FILTER (WHERE orders_2 > 0) AS spend,
        SUM(profit_2) FILTER (WHERE orders_2 > 0) AS profit,
        SUM(spend_2) FILTER (WHERE orders_2 = 0) AS returned
    FROM lenses.window_customers
),

filled AS (
    SELECT
        window_number,
        customers,
        CAST(COALESCE(orders, 0) AS BIGINT) AS orders,
        CAST(COALESCE(spend, 0) AS DECIMAL(18, 2)) AS spend,
        CAST(COALESCE(profit, 0) AS DECIMAL(18, 2)) AS profit,
        CAST(COALESCE(returned, 0) AS DECIMAL(18, 2)) AS returned_by_inactive
    FROM totals
)

SELECT
    $as_of AS as_of,
    w.window_number,
    w.window_start,
    w.window_end,
    w.window_complete,
    f.customers,
    f.orders,
    f.spend,
    f.profit,
    CAST(f.orders AS DOUBLE) / NULLIF(f.customers, 0) AS aof,
    CAST(f.spend AS DOUBLE) / NULLIF(f.orders, 0) AS aov,
    CAST(f.profit AS DOUBLE) / NULLIF(CAST(f.spend AS DOUBLE), 0) AS margin,
    CAST(f.spend AS DOUBLE) / NULLIF(f.customers, 0) AS spend_per_customer,
    CAST(f.profit AS DOUBLE) / NULLIF(f.customers, 0) AS profit_per_customer,
    f.returned_by_inactive
FROM filled AS f
INNER JOIN lenses.windows AS w ON f.window_number = w.window_number
ORDER BY w.window_number
