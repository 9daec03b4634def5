-- One row per reason why customers who ordered up to $as_of may not be shown: how many, what they did, and of how many
-- customers with an order (everybody).
WITH ordered AS (
    SELECT
        customer_id,
        SUM(orders) AS orders,
        SUM(spend) AS spend,
        COUNT(*) OVER () AS everybody
    FROM marts.customer_periods
    WHERE period <= $as_of
    GROUP BY customer_id
    HAVING SUM(orders) > 0
)

SELECT
    h.reason,
    COUNT(*) AS customers,
    CAST(SUM(o.orders) AS BIGINT) AS orders,
    CAST(SUM(o.spend) AS DECIMAL(18, 2)) AS spend,
    MIN(o.everybody) AS everybody
FROM landing.hidden_customers AS h
INNER JOIN ordered AS o ON h.customer_id = o.customer_id
GROUP BY h.reason
ORDER BY COUNT(*) DESC, h.reason
