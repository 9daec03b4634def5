-- One row per kind of decile (customer, value) and decile of window 2; an empty decile has no row.
WITH kinds AS (
    SELECT 'customer' AS kind, customer_decile AS decile, orders, spend, profit
    FROM lenses.ranked_customers
    UNION ALL
    SELECT 'value' AS kind, value_decile AS decile, orders, spend, profit
    FROM lenses.ranked_customers
    WHERE value_decile IS NOT NULL
),

sums AS (
    SELECT
        kind,
        decile,
        MAX(profit) AS highest_profit,
        MIN(profit) AS lowest_profit,
        COUNT(*) AS customers,
        CAST(SUM(orders) AS BIGINT) AS orders,
        CAST(SUM(spend) AS DECIMAL(18, 2)) AS spend,
        CAST(SUM(profit) AS DECIMAL(18, 2)) AS profit
    FROM kinds
    GROUP BY kind, decile
)

SELECT
    s.kind,
    $as_of AS as_of,
    s.decile,
    s.customers,
    s.orders,
    s.spend,
    s.profit,
    CAST(s.customers AS DOUBLE) / NULLIF(CAST(h.customers AS DOUBLE), 0) AS share_customers,
    CAST(s.orders AS DOUBLE) / NULLIF(CAST(h.orders AS DOUBLE), 0) AS share_orders,
    CAST(s.spend AS DOUBLE) / NULLIF(CAST(h.spend AS DOUBLE), 0) AS share_spend,
    CAST(s.profit AS DOUBLE) / NULLIF(CAST(h.profit AS DOUBLE), 0) AS share_profit,
    CAST(s.profit AS DOUBLE) / s.customers AS profit_per_customer,
    CAST(s.orders AS DOUBLE) / s.customers AS aof,
    CAST(s.spend AS DOUBLE) / s.orders AS aov,
    CAST(s.profit AS DOUBLE) / NULLIF(CAST(s.spend AS DOUBLE), 0) AS margin,
    s.highest_profit,
    s.lowest_profit
FROM sums AS s
INNER JOIN lenses.window_headlines AS h ON h.window_number = 2
