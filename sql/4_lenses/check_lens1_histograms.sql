-- Offending rows: the bins of a measure do not hold every customer for whom it is defined.
WITH counted AS (
    SELECT measure, SUM(customers) AS customers
    FROM staged_lenses_lens1_histograms
    GROUP BY measure
)

SELECT s.measure, s.value AS customers, c.customers AS binned
FROM staged_lenses_lens1_statistics AS s
LEFT JOIN counted AS c ON s.measure = c.measure
WHERE s.statistic = 'customers' AND s.value <> COALESCE(c.customers, 0)
