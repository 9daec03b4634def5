-- Repeat purchases a week, up to $until_end, of the customers who had bought by $origin_end and may be shown. Week 0
-- ends with that day, week 1 is the first after it.
WITH days AS (
    SELECT DISTINCT
        customer_id,
        CAST(order_ts AS DATE) AS order_day
    FROM marts.orders
    WHERE customer_id IS NOT NULL AND CAST(order_ts AS DATE) <= $until_end
),

firsts AS (
    SELECT
        customer_id,
        MIN(order_day) AS first_day
    FROM days
    WHERE customer_id NOT IN (SELECT customer_id FROM landing.hidden_customers)
    GROUP BY customer_id
    HAVING MIN(order_day) <= $origin_end
)

SELECT
    CAST(CEIL(CAST(DATE_DIFF('day', $origin_end, d.order_day) AS DOUBLE) / 7) AS BIGINT) AS week,
    COUNT(*) AS purchases
FROM days AS d
INNER JOIN firsts AS f ON d.customer_id = f.customer_id
WHERE d.order_day > f.first_day
GROUP BY CAST(CEIL(CAST(DATE_DIFF('day', $origin_end, d.order_day) AS DOUBLE) / 7) AS BIGINT)
