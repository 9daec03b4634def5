-- One row per customer and calendar year ('1997'): the sums of the customer's months.
SELECT
    SUBSTR(period, 1, 4) AS year,
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
