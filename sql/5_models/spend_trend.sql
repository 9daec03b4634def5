-- One row per customer who may be shown and bought in more than one month up to $as_of: what a straight line through the
-- logarithm of his spend per purchase takes. Months are counted back from $as_of, amounts are millionths of a logarithm.
--
-- Sums of whole numbers, from which the line follows: they do not depend on the order of the rows.
WITH months AS (
    SELECT
        customer_id,
        order_days AS purchases,
        12 * (CAST(SUBSTR($as_of, 1, 4) AS INTEGER) - CAST(SUBSTR(period, 1, 4) AS INTEGER))
        + CAST(SUBSTR($as_of, 6, 2) AS INTEGER) - CAST(SUBSTR(period, 6, 2) AS INTEGER) AS age,
        CAST(ROUND(1000000 * LN(CAST(spend - returned AS DOUBLE) / order_days)) AS BIGINT) AS amount
    FROM marts.customer_periods
    WHERE period <= $as_of AND order_days > 0 AND spend > returned
)

SELECT
    customer_id,
    CAST(SUM(purchases) AS BIGINT) AS purchases,
    CAST(SUM(CASE WHEN age < 12 THEN purchases ELSE 0 END) AS BIGINT) AS recent,
    CAST(SUM(purchases * age) AS BIGINT) AS ages,
    CAST(SUM(purchases * age * age) AS BIGINT) AS squared_ages,
    CAST(SUM(purchases * amount) AS BIGINT) AS amounts,
    CAST(SUM(purchases * age * amount) AS BIGINT) AS aged_amounts
FROM months
WHERE customer_id NOT IN (SELECT customer_id FROM landing.hidden_customers)
GROUP BY customer_id
HAVING COUNT(*) > 1
ORDER BY customer_id
