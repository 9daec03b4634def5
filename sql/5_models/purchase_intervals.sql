-- One row per customer who may be shown with at least $fewest intervals between purchase days: their number, and the
-- sums of their days and squared days.
--
-- Sums of whole numbers, from which mean and deviation follow: they do not depend on the order of the rows.
WITH purchase_days AS (
    SELECT DISTINCT customer_id, CAST(order_ts AS DATE) AS purchase_day
    FROM marts.orders
    WHERE customer_id IS NOT NULL
),

gaps AS (
    SELECT
        customer_id,
        DATE_DIFF('day', LAG(purchase_day) OVER (PARTITION BY customer_id ORDER BY purchase_day), purchase_day) AS days
    FROM purchase_days
)

SELECT
    customer_id,
    COUNT(days) AS intervals,
    CAST(SUM(days) AS BIGINT) AS days,
    CAST(SUM(CAST(days AS BIGINT) * days) AS BIGINT) AS squared_days
FROM gaps
WHERE customer_id NOT IN (SELECT customer_id FROM landing.hidden_customers)
GROUP BY customer_id
HAVING COUNT(days) >= $fewest
ORDER BY customer_id
