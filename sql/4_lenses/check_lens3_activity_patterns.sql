-- Offending rows: cohorts whose patterns do not add up to their size.
SELECT grain, cohort, alignment, SUM(customers) AS customers, MAX(cohort_size) AS cohort_size
FROM staged_lenses_lens3_activity_patterns
GROUP BY grain, cohort, alignment
HAVING SUM(customers) <> MAX(cohort_size)
