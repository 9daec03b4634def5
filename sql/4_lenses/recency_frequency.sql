-- One row per last active month and number of orders (10: ten or more) of window 2 that some customer has.
SELECT
    last_active_2 AS last_active,
    LEAST(orders_2, CAST(10 AS BIGINT)) AS orders_from,
    COUNT(*) AS customers,
    CAST(SUM(orders_2) AS BIGINT) AS orders,
    CAST(SUM(spend_2) AS DECIMAL(18, 2)) AS spend,
    CAST(SUM(profit_2) AS DECIMAL(18, 2)) AS profit
FROM lenses.window_customers
WHERE orders_2 > 0
GROUP BY 1, 2
