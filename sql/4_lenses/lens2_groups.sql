-- One row per group of customers, always four: who was active in which of two adjacent windows of
-- $window_months months.
--
-- Window 2 ends at $as_of, window 1 just before window 2. first_only: active in window 1 only. both. new:
-- active and acquired in window 2. returning: active in window 2, not in window 1, acquired before window 2.
-- A customer counts in a window only if active in it, so the groups add up to lens2_headline of either window.
-- Shares are of all four groups; with _1 or _2 of that window.
WITH grouped AS (
    SELECT
        CASE
            WHEN orders_1 > 0 AND orders_2 > 0 THEN 'both'
            WHEN orders_1 > 0 THEN 'first_only'
            WHEN is_new THEN 'new'
            ELSE 'returning'
        END AS customer_group,
        COUNT(*) AS customers,
        COUNT(*) FILTER (WHERE orders_1 > 0) AS active_1,
        SUM(orders_1) AS orders_1,
        SUM(spend_1) FILTER (WHERE orders_1 > 0) AS spend_1,
        SUM(profit_1) FILTER (WHERE orders_1 > 0) AS profit_1,
        COUNT(*) FILTER (WHERE orders_2 > 0) AS active_2,
        SUM(orders_2) AS orders_2,
        SUM(spend_2) FILTER (WHERE orders_2 > 0) AS spend_2,
        SUM(profit_2) FILTER (WHERE orders_2 > 0) AS profit_2
    FROM lenses.window_customers
    WHERE orders_1 > 0 OR orders_2 > 0
    GROUP BY 1
),

group_names AS (
    SELECT 1 AS group_order, 'first_only' AS customer_group
    UNION ALL
    SELECT 2 AS group_order, 'both' AS customer_group
    UNION ALL
    SELECT 3 AS group_order, 'new' AS customer_group
    UNION ALL
    SELECT 4 AS group_order, 'returning' AS customer_group
),

filled AS (
    SELECT
        n.group_order,
        n.customer_group,
        COALESCE(g.customers, 0) AS customers,
        COALESCE(g.active_1, 0) AS active_1,
        CAST(COALESCE(g.orders_1, 0) AS BIGINT) AS orders_1,
        CAST(COALESCE(g.spend_1, 0) AS DECIMAL(18, 2)) AS spend_1,
        CAST(COALESCE(g.profit_1, 0) AS DECIMAL(18, 2)) AS profit_1,
        COALESCE(g.active_2, 0) AS active_2,
        CAST(COALESCE(g.orders_2, 0) AS BIGINT) AS orders_2,
        CAST(COALESCE(g.spend_2, 0) AS DECIMAL(18, 2)) AS spend_2,
        CAST(COALESCE(g.profit_2, 0) AS DECIMAL(18, 2)) AS profit_2
    FROM group_names AS n
    LEFT JOIN grouped AS g ON n.customer_group = g.customer_group
)

SELECT
    $as_of AS as_of,
    customer_group,
    customers,
    CAST(customers AS DOUBLE) / NULLIF(CAST(SUM(customers) OVER () AS DOUBLE), 0) AS share_customers,
    orders_1,
    spend_1,
    profit_1,
    CAST(active_1 AS DOUBLE) / NULLIF(CAST(SUM(active_1) OVER () AS DOUBLE), 0) AS share_customers_1,
    CAST(spend_1 AS DOUBLE) / NULLIF(CAST(SUM(spend_1) OVER () AS DOUBLE), 0) AS share_spend_1,
    CAST(profit_1 AS DOUBLE) / NULLIF(CAST(SUM(profit_1) OVER () AS DOUBLE), 0) AS share_profit_1,
    CAST(orders_1 AS DOUBLE) / NULLIF(active_1, 0) AS aof_1,
    CAST(spend_1 AS DOUBLE) / NULLIF(orders_1, 0) AS aov_1,
    CAST(profit_1 AS DOUBLE) / NULLIF(CAST(spend_1 AS DOUBLE), 0) AS margin_1,
    CAST(profit_1 AS DOUBLE) / NULLIF(active_1, 0) AS profit_per_customer_1,
    orders_2,
    spend_2,
    profit_2,
    CAST(active_2 AS DOUBLE) / NULLIF(CAST(SUM(active_2) OVER () AS DOUBLE), 0) AS share_customers_2,
    CAST(spend_2 AS DOUBLE) / NULLIF(CAST(SUM(spend_2) OVER () AS DOUBLE), 0) AS share_spend_2,
    CAST(profit_2 AS DOUBLE) / NULLIF(CAST(SUM(profit_2) OVER () AS DOUBLE), 0) AS share_profit_2,
    CAST(orders_2 AS DOUBLE) / NULLIF(active_2, 0) AS aof_2,
    CAST(spend_2 AS DOUBLE) / NULLIF(orders_2, 0) AS aov_2,
    CAST(profit_2 AS DOUBLE) / NULLIF(CAST(spend_2 AS DOUBLE), 0) AS margin_2,
    CAST(profit_2 AS DOUBLE) / NULLIF(active_2, 0) AS profit_per_customer_2
FROM filled
ORDER BY group_order
