-- One row per customer scored at $as_of: the score, the history behind it, and how both compare with the base.
--
-- The base's averages are weighted so that they multiply back as the customer's own factors do: base_p_alive x
-- base_purchases_if_alive x base_spend x margin x base_discount = base_clv. place ranks by clv; place_in_kind does so
-- among customers with a repeat purchase, and among those without.
SELECT
    s.customer_id,
    s.p_alive,
    s.expected_purchases,
    s.expected_spend,
    s.margin,
    s.discount,
    s.clv,
    s.clv_lower,
    s.clv_upper,
    s.clv_lower_50,
    s.clv_upper_50,
    s.clv_lower_95,
    s.clv_upper_95,
    s.residual_clv,
    s.pace,
    s.spend_level,
    s.clv_uncorrected,
    s.decile,
    r.frequency,
    r.recency,
    r."T",
    r.first_order,
    r.last_order,
    r.spend,
    r.segment,
    CASE WHEN r.frequency > 0 THEN 'repeat' ELSE 'once' END AS kind,
    ROW_NUMBER() OVER (ORDER BY s.clv DESC, s.customer_id) AS place,
    COUNT(*) OVER () AS customers,
    ROW_NUMBER() OVER (
        PARTITION BY CASE WHEN r.frequency > 0 THEN 'repeat' ELSE 'once' END ORDER BY s.clv DESC, s.customer_id
    ) AS place_in_kind,
    COUNT(*) OVER (PARTITION BY CASE WHEN r.frequency > 0 THEN 'repeat' ELSE 'once' END) AS customers_in_kind,
    AVG(s.p_alive) OVER () AS base_p_alive,
    SUM(s.expected_purchases) OVER () / NULLIF(SUM(s.p_alive) OVER (), 0) AS base_purchases_if_alive,
    SUM(s.expected_purchases * s.expected_spend) OVER () / NULLIF(SUM(s.expected_purchases) OVER (), 0) AS base_spend,
    SUM(s.clv) OVER ()
    / NULLIF(SUM(s.expected_purchases * s.expected_spend * s.margin) OVER (), 0) AS base_discount,
    AVG(s.clv) OVER () AS base_clv
FROM scores.customers AS s
INNER JOIN rfm.customers AS r ON s.customer_id = r.customer_id AND s.as_of = r.as_of
-- A month that was scored before there was a margin in the scores has nothing to compare.
WHERE s.as_of = $as_of AND s.margin IS NOT NULL
