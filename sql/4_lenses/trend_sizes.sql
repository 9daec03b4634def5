-- One row per grain, cohort of known size and bucket: its customers, and the last age that the cohort has completed
-- (null: none).
WITH seen AS (
    SELECT months, cohort_index, MAX(age) FILTER (WHERE complete) AS last_age
    FROM lenses.cohort_cells
    WHERE cohort_index IS NOT NULL
    GROUP BY months, cohort_index
)

SELECT h.grain, h.cohort, h.cohort_start, s.last_age, m.bucket, COUNT(*) AS customers
FROM lenses.members AS m
INNER JOIN lenses.cohorts AS h ON m.acquired_month - m.acquired_month % h.months = h.cohort_index
INNER JOIN seen AS s ON h.months = s.months AND h.cohort_index = s.cohort_index
GROUP BY h.grain, h.cohort, h.cohort_start, s.last_age, m.bucket
ORDER BY h.grain, h.cohort_start, m.bucket
