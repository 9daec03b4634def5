-- One row per age, feature and value of drift.customers (numbers in value, segments in category): how many customers.
WITH valued AS (
    SELECT age, is_early, 'frequency' AS feature, frequency AS value, COUNT(*) AS customers
    FROM drift.customers
    GROUP BY age, is_early, frequency
    UNION ALL
    SELECT age, is_early, 'recency' AS feature, recency AS value, COUNT(*) AS customers
    FROM drift.customers
    GROUP BY age, is_early, recency
    UNION ALL
    SELECT age, is_early, 'monetary_value' AS feature, monetary_value AS value, COUNT(*) AS customers
    FROM drift.customers
    GROUP BY age, is_early, monetary_value
    UNION ALL
    SELECT age, is_early, 'clv' AS feature, clv AS value, COUNT(*) AS customers
    FROM drift.customers
    GROUP BY age, is_early, clv
    UNION ALL
    SELECT age, is_early, 'expected_purchases' AS feature, expected_purchases AS value, COUNT(*) AS customers
    FROM drift.customers
    GROUP BY age, is_early, expected_purchases
    UNION ALL
    SELECT age, is_early, 'p_alive' AS feature, p_alive AS value, COUNT(*) AS customers
    FROM drift.customers
    GROUP BY age, is_early, p_alive
)

SELECT $as_of AS as_of, age, is_early, feature, value, CAST(NULL AS VARCHAR) AS category, customers
FROM valued
WHERE value IS NOT NULL
UNION ALL
SELECT
    $as_of AS as_of,
    age,
    is_early,
    'segment' AS feature,
    CAST(NULL AS DOUBLE) AS value,
    segment AS category,
    COUNT(*) AS customers
FROM drift.customers
GROUP BY age, is_early, segment
ORDER BY feature, age, is_early, value, category
