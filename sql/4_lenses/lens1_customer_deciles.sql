-- One row per customer decile of the window of $window_months months that ends at $as_of.
--
-- Active customers by profit, largest first, ties by customer_id: decile = floor(10 (rank - 1) / N) + 1.
-- With fewer than ten customers some deciles are empty and have no row.
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
        CAST(SUM(p.spend) AS DECIMAL(18, 2)) AS spend,
        CAST(SUM(p.profit) AS DECIMAL(18, 2)) AS profit
    FROM marts.customer_periods AS p
    CROSS JOIN bounds AS b
    WHERE p.period >= b.window_start
    GROUP BY p.customer_id
    HAVING SUM(p.orders) > 0
),

ranked AS (
    SELECT
        orders,
        spend,
        profit,
        ROW_NUMBER() OVER (ORDER BY profit DESC, customer_id) AS profit_rank,
        COUNT(*) OVER () AS all_customers
    FROM by_customer
),

deciles AS (
    SELECT
        CAST(FLOOR(CAST(10 * (profit_rank - 1) AS DOUBLE) / all_customers) AS BIGINT) + 1 AS decile,
        COUNT(*) AS customers,
        CAST(SUM(orders) AS BIGINT) AS orders,
        CAST(SUM(spend) AS DECIMAL(18, 2)) AS spend,
        CAST(SUM(profit) AS DECIMAL(18, 2)) AS profit
    FROM ranked
    GROUP BY 1
),

totals AS (
    SELECT
        SUM(customers) AS customers,
        SUM(orders) AS orders,
        SUM(spend) AS spend,
        SUM(profit) AS profit
    FROM deciles
)

SELECT
    $as_of AS as_of,
    d.decile,
    d.customers,
    d.orders,
    d.spend,
    d.profit,
    CAST(d.customers AS DOUBLE) / CAST(t.customers AS DOUBLE) AS share_customers,
    CAST(d.orders AS DOUBLE) / CAST(t.orders AS DOUBLE) AS share_orders,
    CAST(d.spend AS DOUBLE) / NULLIF(CAST(t.spend AS DOUBLE), 0) AS share_spend,
    CAST(d.profit AS DOUBLE) / NULLIF(CAST(t.profit AS DOUBLE), 0) AS share_profit,
    CAST(d.profit AS DOUBLE) / d.customers AS profit_per_customer,
    CAST(d.orders AS DOUBLE) / d.customers AS aof,
    CAST(d.spend AS DOUBLE) / d.orders AS aov,
    CAST(d.profit AS DOUBLE) / NULLIF(CAST(d.spend AS DOUBLE), 0) AS margin
FROM deciles AS d
CROSS JOIN totals AS t
ORDER BY d.decile
