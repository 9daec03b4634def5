-- One row per scored customer: the score, what it was made from, and the groups that totals are taken over.
SELECT
    s.customer_id,
    r.frequency,
    r.recency,
    r."T",
    r.monetary_value,
    r.segment,
    c.cohort,
    s.decile,
    s.expected_purchases,
    s.expected_spend,
    s.clv,
    s.clv_sd,
    s.discount,
    s.margin,
    s.model_version
FROM scores.customers AS s
INNER JOIN rfm.customers AS r ON s.customer_id = r.customer_id
INNER JOIN marts.customers AS c ON s.customer_id = c.customer_id
