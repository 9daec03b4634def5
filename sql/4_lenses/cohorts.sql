-- One row per grain and cohort with a customer: its label, first month and size; 'before <data start>' has no size.
WITH known AS (
    SELECT c.months, m.acquired_month - m.acquired_month % c.months AS cohort_index, COUNT(*) AS cohort_size
    FROM lenses.members AS m
    CROSS JOIN (SELECT DISTINCT months FROM lenses.calendar) AS c
    WHERE m.acquired_month IS NOT NULL
    GROUP BY 1, 2
)

SELECT
    c.grain,
    c.months,
    k.cohort_index,
    k.cohort_index AS first_index,
    c.calendar_period AS cohort,
    c.calendar_start AS cohort_start,
    k.cohort_size
FROM known AS k
INNER JOIN lenses.calendar AS c ON k.months = c.months AND k.cohort_index = c.calendar_index
UNION ALL
SELECT
    c.grain,
    c.months,
    CAST(NULL AS BIGINT) AS cohort_index,
    MAX(c.calendar_index) AS first_index,
    CONCAT('before ', $data_start) AS cohort,
    CAST(NULL AS VARCHAR) AS cohort_start,
    CAST(NULL AS BIGINT) AS cohort_size
FROM lenses.calendar AS c
WHERE c.calendar_start <= $data_start
    AND c.months IN (SELECT months FROM lenses.customer_cells WHERE cohort_index IS NULL)
GROUP BY c.grain, c.months
