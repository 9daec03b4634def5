-- Offending rows: fewer customers with a second order than at the age before.
WITH steps AS (
    SELECT
        grain,
        cohort,
        unit,
        age,
        customers,
        LAG(customers) OVER (PARTITION BY grain, cohort, unit ORDER BY age) AS customers_before
    FROM staged_lenses_lens3_second_purchase
)
SELECT * FROM steps WHERE customers < customers_before
