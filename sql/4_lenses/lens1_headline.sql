-- One row: the active customers of the window of $window_months months that ends at $as_of, and their
-- averages.
--
-- Active is who ordered in the window. spend + returned_by_inactive is all spend of customers in the window:
-- the second is of customers who only returned. window_complete: the data reaches from the first day of the
-- window to the last.
WITH as_of_month AS (
    SELECT
        CAST(SUBSTR($as_of, 1, 4) AS BIGINT) * 12
        + CAST(SUBSTR($as_of, 6, 2) AS BIGINT) - $window_months AS first_month
),

bounds AS (
    SELECT
        CONCAT(
            LPAD(CAST(CAST(FLOOR(CAST(first_month AS DOUBLE) / 12) AS BIGINT) AS VARCHAR), 4, '0'),
            '-',
            LPAD(CAST(first_month % 12 + 1 AS VARCHAR), 2, '0')
        ) AS window_start
    FROM as_of_month
),

by_customer AS (
    SELECT
        p.customer_id,
        SUM(p.orders) AS orders,
        SUM(p.spend) AS spend,
        SUM(p.profit) AS profit
    FROM marts.customer_periods AS p
    CROSS JOIN bounds AS b
    WHERE p.period >= b.window_start
    GROUP BY p.customer_id
),

totals AS (
    SELECT
        COUNT(*) FILTER (WHERE orders > 0) AS customers,
        CAST(COALESCE(SUM(orders), 0) AS BIGINT) AS orders,
        CAST(COALESCE(SUM(spend) FILTER (WHERE orders > 0), 0) AS DECIMAL(18, 2)) AS spend,
        CAST(COALESCE(SUM(profit) FILTER (WHERE orders > 0), 0) AS DECIMAL(18, 2)) AS profit,
        CAST(COALESCE(SUM(spend) FILTER (WHERE orders = 0), 0) AS DECIMAL(18, 2)) AS returned_by_inactive
    FROM by_customer
)

SELECT
    $as_of AS as_of,
    b.window_start,
    $as_of AS window_end,
    b.window_start >= $data_start AND STRFTIME($as_of_end + INTERVAL 1 DAY, '%Y-%m') > $as_of AS window_complete,
    t.customers,
    t.orders,
    t.spend,
    t.profit,
    CAST(t.orders AS DOUBLE) / NULLIF(t.customers, 0) AS aof,
    CAST(t.spend AS DOUBLE) / NULLIF(t.orders, 0) AS aov,
    CAST(t.profit AS DOUBLE) / NULLIF(CAST(t.spend AS DOUBLE), 0) AS margin,
    CAST(t.spend AS DOUBLE) / NULLIF(t.customers, 0) AS spend_per_customer,
    CAST(t.profit AS DOUBLE) / NULLIF(t.customers, 0) AS profit_per_customer,
    t.returned_by_inactive
FROM totals AS t
CROSS JOIN bounds AS b
