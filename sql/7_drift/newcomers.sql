-- One row per column of drift.attributes, value on the first order, and cohort (month of the first order, from
-- $recent on): how many customers, and what they brought up to the end of $as_of.
WITH firsts AS (
    SELECT
        a.attribute,
        r.customer_id,
        STRFTIME(r.first_order, '%Y-%m') AS cohort_month,
        MIN(a.value) AS value,
        MIN(CAST(r.spend AS DOUBLE)) AS spend
    FROM rfm.customers AS r
    INNER JOIN drift.attributes AS a ON r.customer_id = a.customer_id AND r.first_order = a.order_ts
    WHERE STRFTIME(r.first_order, '%Y-%m') >= $recent
    GROUP BY a.attribute, r.customer_id, STRFTIME(r.first_order, '%Y-%m')
)

SELECT
    attribute,
    value,
    cohort_month,
    COUNT(*) AS customers,
    SUM(spend) AS spend,
    SUM(spend * spend) AS spend_squared
FROM firsts
WHERE value IS NOT NULL
GROUP BY attribute, value, cohort_month
ORDER BY attribute, value, cohort_month
