-- Offending rows: the mean of a measure over all customers is not the headline's average, or customers are missing.
WITH wide AS (
    SELECT
        measure,
        MAX(CASE WHEN statistic = 'customers' THEN value END) AS customers,
        MAX(CASE WHEN statistic = 'mean' THEN value END) AS mean_value
    FROM staged_lenses_lens1_statistics
    GROUP BY measure
),

expected AS (
    SELECT 'spend' AS measure, customers, spend_per_customer AS average FROM staged_lenses_lens1_headline
    UNION ALL
    SELECT 'profit' AS measure, customers, profit_per_customer AS average FROM staged_lenses_lens1_headline
    UNION ALL
    SELECT 'orders' AS measure, customers, aof AS average FROM staged_lenses_lens1_headline
)

SELECT e.*, w.customers AS counted, w.mean_value
FROM expected AS e
LEFT JOIN wide AS w ON e.measure = w.measure
WHERE
    w.customers IS NULL
    OR w.customers <> e.customers
    OR ABS(COALESCE(w.mean_value, 0) - COALESCE(e.average, 0)) > 0.000001 + 0.000000001 * ABS(COALESCE(e.average, 0))
