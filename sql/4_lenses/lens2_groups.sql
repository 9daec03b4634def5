-- One row per group of customers, always four: who was active in which of two adjacent windows of
-- $window_months months.
--
-- Window 2 ends at $as_of, window 1 just before window 2. first_only: active in window 1 only. both. new:
-- active in window 2 and never before it. returning: active in window 2, not in window 1, active before that.
-- A customer counts in a window only if active in it, so the groups add up to lens1_headline of either
-- window.
WITH as_of_month AS (
    SELECT CAST(SUBSTR($as_of, 1, 4) AS BIGINT) * 12 + CAST(SUBSTR($as_of, 6, 2) AS BIGINT) AS after_month
),

first_months AS (
    SELECT after_month - 2 * $window_months AS month_1, after_month - $window_months AS month_2
    FROM as_of_month
),

bounds AS (
    SELECT
        CONCAT(
            LPAD(CAST(CAST(FLOOR(CAST(month_1 AS DOUBLE) / 12) AS BIGINT) AS VARCHAR), 4, '0'),
            '-',
            LPAD(CAST(month_1 % 12 + 1 AS VARCHAR), 2, '0')
        ) AS start_1,
        CONCAT(
            LPAD(CAST(CAST(FLOOR(CAST(month_2 AS DOUBLE) / 12) AS BIGINT) AS VARCHAR), 4, '0'),
            '-',
            LPAD(CAST(month_2 % 12 + 1 AS VARCHAR), 2, '0')
        ) AS start_2
    FROM first_months
),

by_customer AS (
    SELECT
        p.customer_id,
        COALESCE(SUM(p.orders) FILTER (WHERE p.period < b.start_1), 0) AS orders_0,
        COALESCE(SUM(p.orders) FILTER (WHERE p.period >= b.start_1 AND p.period < b.start_2), 0) AS orders_1,
        COALESCE(SUM(p.spend) FILTER (WHERE p.period >= b.start_1 AND p.period < b.start_2), 0) AS spend_1,
        COALESCE(SUM(p.profit) FILTER (WHERE p.period >= b.start_1 AND p.period < b.start_2), 0) AS profit_1,
        COALESCE(SUM(p.orders) FILTER (WHERE p.period >= b.start_2), 0) AS orders_2,
        COALESCE(SUM(p.spend) FILTER (WHERE p.period >= b.start_2), 0) AS spend_2,
        COALESCE(SUM(p.profit) FILTER (WHERE p.period >= b.start_2), 0) AS profit_2
    FROM marts.customer_periods AS p
    CROSS JOIN bounds AS b
    GROUP BY p.customer_id
),

grouped AS (
    SELECT
        CASE
            WHEN orders_1 > 0 AND orders_2 > 0 THEN 'both'
            WHEN orders_1 > 0 THEN 'first_only'
            WHEN orders_0 > 0 THEN 'returning'
            ELSE 'new'
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
    FROM by_customer
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
    CAST(orders_1 AS DOUBLE) / NULLIF(active_1, 0) AS aof_1,
    CAST(spend_1 AS DOUBLE) / NULLIF(orders_1, 0) AS aov_1,
    CAST(profit_1 AS DOUBLE) / NULLIF(CAST(spend_1 AS DOUBLE), 0) AS margin_1,
    CAST(profit_1 AS DOUBLE) / NULLIF(active_1, 0) AS profit_per_customer_1,
    orders_2,
    spend_2,
    profit_2,
    CAST(orders_2 AS DOUBLE) / NULLIF(active_2, 0) AS aof_2,
    CAST(spend_2 AS DOUBLE) / NULLIF(orders_2, 0) AS aov_2,
    CAST(profit_2 AS DOUBLE) / NULLIF(CAST(spend_2 AS DOUBLE), 0) AS margin_2,
    CAST(profit_2 AS DOUBLE) / NULLIF(active_2, 0) AS profit_per_customer_2
FROM filled
ORDER BY group_order
