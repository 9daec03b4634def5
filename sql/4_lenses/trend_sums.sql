-- One row per grain, cohort, bucket of its customers and age at which the bucket did something: its sums.
SELECT
    h.grain,
    h.cohort,
    m.bucket,
    CAST(FLOOR(CAST(c.calendar_index - c.cohort_index AS DOUBLE) / c.months) AS BIGINT) AS age,
    CAST(COUNT(*) FILTER (WHERE c.orders > 0) AS DOUBLE) AS active,
    CAST(SUM(c.orders) AS DOUBLE) AS orders,
    CAST(SUM(c.spend) AS DOUBLE) AS spend,
    CAST(SUM(c.profit) AS DOUBLE) AS profit
FROM lenses.customer_cells AS c
INNER JOIN lenses.members AS m ON c.customer_no = m.customer_no
INNER JOIN lenses.cohorts AS h ON c.months = h.months AND c.cohort_index = h.cohort_index
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
