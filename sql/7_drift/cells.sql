-- One row per cohort (month of the first order) and month with an order of it: who was active, and what they did.
--
-- Of those who may be shown, as of them forecasts are made.
-- again: of the active, those who were active in the month before too. In its own month all of a cohort is active, so
-- that is its size.
WITH active AS (
    SELECT
        period,
        customer_id,
        CAST(SUBSTR(period, 1, 4) AS BIGINT) * 12 + CAST(SUBSTR(period, 6, 2) AS BIGINT) - 1 AS month_index,
        orders,
        order_days,
        spend,
        profit
    FROM marts.customer_periods
    WHERE orders > 0 AND customer_id NOT IN (SELECT customer_id FROM landing.hidden_customers)
),

firsts AS (
    SELECT customer_id, MIN(period) AS cohort_month
    FROM active
    GROUP BY customer_id
)

SELECT
    f.cohort_month,
    a.period,
    COUNT(*) AS active,
    COUNT(b.customer_id) AS again,
    CAST(SUM(a.orders) AS BIGINT) AS orders,
    CAST(SUM(a.order_days) AS BIGINT) AS order_days,
    CAST(SUM(a.spend) AS DOUBLE) AS spend,
    CAST(SUM(a.profit) AS DOUBLE) AS profit
FROM active AS a
INNER JOIN firsts AS f ON a.customer_id = f.customer_id
LEFT JOIN active AS b ON a.customer_id = b.customer_id AND a.month_index = b.month_index + 1
GROUP BY f.cohort_month, a.period
ORDER BY f.cohort_month, a.period
