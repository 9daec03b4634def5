-- One row per customer of lenses.members: its behavioural cohort, the value of its column $cohort_by; no row without one.
--
-- Who has no value is in 'unknown'. The twelve values with most customers (ties by value) are cohorts; the rest is
-- 'other'.
WITH valued AS (
    SELECT m.customer_no, COALESCE(a.value, 'unknown') AS value
    FROM lenses.members AS m
    LEFT JOIN lenses.customer_attributes AS a ON m.customer_id = a.customer_id AND a.attribute = $cohort_by
    WHERE $cohort_by IS NOT NULL
),

ranked AS (
    SELECT value, ROW_NUMBER() OVER (ORDER BY COUNT(*) DESC, value) AS place
    FROM valued
    GROUP BY value
)

SELECT v.customer_no, CASE WHEN r.place <= 12 THEN v.value ELSE 'other' END AS cohort
FROM valued AS v
INNER JOIN ranked AS r ON v.value = r.value
