-- One row per customer and calendar quarter ('1997Q1'): the sums of the customer's months.
SELECT
    CONCAT(
        SUBSTR(period, 1, 4), 'Q', CASE
            WHEN SUBSTR(period, 6, 2) <= '03' THEN '1'
            WHEN SUBSTR(period, 6, 2) <= '06' THEN '2'
            WHEN SUBSTR(period, 6, 2) <= '09' THEN '3'
            ELSE '4'
        END
    ) AS quarter,
    customer_id,
    CAST(SUM(orders) AS BIGINT) AS orders,
    CAST(SUM(spend) AS DECIMAL(18, 2)) AS spend,
    CAST(SUM(profit) AS DECIMAL(18, 2)) AS profit,
    CAST(SUM(quantity) AS DECIMAL(18, 3)) AS quantity,
    CAST(SUM(order_days) AS BIGINT) AS order_days,
    MIN(first_order) AS first_order,
    MAX(last_order) AS last_order,
    CAST(MIN_BY(first_day_spend, period) FILTER (WHERE orders > 0) AS DECIMAL(18, 2)) AS first_day_spend,
    CAST(SUM(returned) AS DECIMAL(18, 2)) AS returned
FROM marts.customer_periods
GROUP BY 1, customer_id
