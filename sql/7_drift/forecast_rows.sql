-- One row per cohort (month of the first order), frequency and T of drift.customers that are scored: how many, and the
-- sums that expectations of any horizon follow from.
SELECT
    cohort_month,
    frequency,
    weeks,
    COUNT(*) AS customers,
    SUM(exact_p_alive) AS alive,
    SUM(exact_p_alive * exact_p_alive) AS alive_squared,
    SUM(exact_p_alive * expected_spend) AS alive_spend
FROM drift.customers
WHERE exact_p_alive IS NOT NULL
GROUP BY cohort_month, frequency, weeks
ORDER BY cohort_month, frequency, weeks
