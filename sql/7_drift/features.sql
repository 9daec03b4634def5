-- One row per as-of and customer: the quantities whose distribution is watched.
SELECT
    r.as_of,
    CAST(r.frequency AS DOUBLE) AS frequency,
    r.recency,
    r.monetary_value,
    s.clv
FROM rfm.customers AS r
LEFT JOIN scores.customers AS s ON s.as_of = r.as_of AND s.customer_id = r.customer_id
