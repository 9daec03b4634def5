-- One row per age, feature and value of drift.customers (numbers in value, segments in category): how many customers.
SELECT
    $as_of AS as_of,
    age,
    is_early,
    CASE
        WHEN GROUPING(frequency) = 0 THEN 'frequency'
        WHEN GROUPING(recency) = 0 THEN 'recency'
        WHEN GROUPING(monetary_value) = 0 THEN 'monetary_value'
        WHEN GROUPING(clv) = 0 THEN 'clv'
        WHEN GROUPING(expected_purchases) = 0 THEN 'expected_purchases'
        WHEN GROUPING(p_alive) = 0 THEN 'p_alive'
        ELSE 'segment'
    END AS feature,
    COALESCE(frequency, recency, monetary_value, clv, expected_purchases, p_alive) AS value,
    segment AS category,
    COUNT(*) AS customers
FROM drift.customers
GROUP BY GROUPING SETS (
    (age, is_early, frequency),
    (age, is_early, recency),
    (age, is_early, monetary_value),
    (age, is_early, clv),
    (age, is_early, expected_purchases),
    (age, is_early, p_alive),
    (age, is_early, segment)
)
HAVING COALESCE(frequency, recency, monetary_value, clv, expected_purchases, p_alive) IS NOT NULL OR segment IS NOT NULL
ORDER BY feature, age, is_early, value, category
