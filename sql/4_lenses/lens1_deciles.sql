-- One row per decile of the window that ends at $as_of, the best first: a tenth of its active customers by profit
-- ($kind 'customer'), or the customers who bring a tenth of its profit ('value').
--
-- An empty decile has no row: of fewer than ten customers, or where one customer brings several tenths. threshold:
-- the highest profit below the decile; of value deciles all in it earned more. No value decile where the window made
-- no profit.
WITH placed AS (
    SELECT CASE $kind WHEN 'customer' THEN customer_decile ELSE value_decile END AS decile, orders, spend, profit
    FROM lenses.ranked_customers
),

sums AS (
    SELECT
        decile,
        MAX(profit) AS highest_profit,
        MIN(profit) AS lowest_profit,
        COUNT(*) AS customers,
        CAST(SUM(orders) AS BIGINT) AS orders,
        CAST(SUM(spend) AS DECIMAL(18, 2)) AS spend,
        CAST(SUM(profit) AS DECIMAL(18, 2)) AS profit
    FROM placed
    WHERE decile IS NOT NULL
    GROUP BY decile
)

SELECT
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
    CAST(s.spend AS DOUBLE) / s.customers AS spend_per_customer,
    CAST(s.profit AS DOUBLE) / s.customers AS profit_per_customer,
    CAST(s.orders AS DOUBLE) / s.customers AS aof,
    CAST(s.spend AS DOUBLE) / s.orders AS aov,
    CAST(s.profit AS DOUBLE) / NULLIF(CAST(s.spend AS DOUBLE), 0) AS margin,
    s.highest_profit,
    s.lowest_profit,
    LEAD(s.highest_profit) OVER (ORDER BY s.decile) AS threshold
FROM sums AS s
INNER JOIN lenses.window_headlines AS h ON h.window_number = 2
ORDER BY s.decile
