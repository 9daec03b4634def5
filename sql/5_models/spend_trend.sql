-- One row per customer who may be shown and made repeat purchases: how his spend per purchase grew from each month to the
-- same month a year later, up to $as_of, in millionths of the logarithm, and how old his repeat purchases are.
--
-- The first purchase is left out, as it is of monetary_value. A pair of months weighs as many purchases as the month with
-- fewer of them has. Sums of whole numbers: they do not depend on the order of the rows.
WITH months AS (
    SELECT
        customer_id,
        12 * (CAST(SUBSTR($as_of, 1, 4) AS INTEGER) - CAST(SUBSTR(period, 1, 4) AS INTEGER))
        + CAST(SUBSTR($as_of, 6, 2) AS INTEGER) - CAST(SUBSTR(period, 6, 2) AS INTEGER) AS age,
        CASE WHEN is_first THEN order_days - 1 ELSE order_days END AS purchases,
        CAST(spend - returned - CASE WHEN is_first THEN first_day_spend ELSE 0 END AS DOUBLE) AS bought
    FROM (
        SELECT
            customer_id,
            period,
            order_days,
            spend,
            returned,
            first_day_spend,
            period = MIN(period) OVER (PARTITION BY customer_id) AS is_first
        FROM marts.customer_periods
        WHERE period <= $as_of AND order_days > 0
    ) AS ordered
    WHERE customer_id NOT IN (SELECT customer_id FROM landing.hidden_customers)
),

repeated AS (
    SELECT
        customer_id,
        age,
        purchases,
        CASE WHEN bought > 0 THEN CAST(ROUND(1000000 * LN(bought / purchases)) AS BIGINT) END AS amount
    FROM months
    WHERE purchases > 0
)

SELECT
    r.customer_id,
    CAST(COALESCE(SUM(CASE WHEN e.amount IS NOT NULL AND r.amount IS NOT NULL
        THEN LEAST(r.purchases, e.purchases) END), 0) AS BIGINT) AS pairs,
    CAST(COALESCE(SUM(LEAST(r.purchases, e.purchases) * (r.amount - e.amount)), 0) AS BIGINT) AS growth,
    CAST(SUM(r.purchases) AS BIGINT) AS purchases,
    CAST(SUM(r.purchases * r.age) AS BIGINT) AS ages,
    CAST(SUM(CASE WHEN r.age < 12 THEN r.purchases ELSE 0 END) AS BIGINT) AS recent
FROM repeated AS r
LEFT JOIN repeated AS e ON r.customer_id = e.customer_id AND e.age = r.age + 12
GROUP BY r.customer_id
ORDER BY r.customer_id
