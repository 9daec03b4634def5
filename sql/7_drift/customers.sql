-- One row per customer with what is watched of it: rounded to a grid, so that many customers share a value.
--
-- age: whole months (of 30.4375 days) since the first purchase day. recency: whole weeks. Money, purchases and P(alive)
-- are rounded to 2% of their value, or to a hundredth. is_early: first seen before $settled, so perhaps known to the
-- company long before the data start. Without a score, the predictions are null.
SELECT
    STRFTIME(r.first_order, '%Y-%m') AS cohort_month,
    CAST(FLOOR(r."T" * 7 / 30.4375) AS BIGINT) AS age,
    STRFTIME(r.first_order, '%Y-%m') < $settled AS is_early,
    r.segment,
    CAST(r.frequency AS DOUBLE) AS frequency,
    r."T" AS weeks,
    FLOOR(r.recency) AS recency,
    CASE
        WHEN r.monetary_value > 0 THEN EXP(ROUND(LN(r.monetary_value) * 50) / 50)
        ELSE r.monetary_value
    END AS monetary_value,
    CASE WHEN s.clv > 0 THEN EXP(ROUND(LN(s.clv) * 50) / 50) ELSE s.clv END AS clv,
    CASE
        WHEN s.expected_purchases > 0 THEN EXP(ROUND(LN(s.expected_purchases) * 50) / 50)
        ELSE s.expected_purchases
    END AS expected_purchases,
    ROUND(s.p_alive, 2) AS p_alive,
    s.p_alive AS exact_p_alive,
    s.expected_spend
FROM rfm.customers AS r
LEFT JOIN scores.customers AS s ON r.customer_id = s.customer_id
