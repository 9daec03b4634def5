-- One row per grain, cohort (or 'all') and calendar period that another follows: of its active customers, how many were
-- active in the next.
--
-- Cohort 'all' is everybody, those acquired before the data starts included. complete: the next period has ended.
-- Rows of grain 'year' are the annual repeat-buying rates.
WITH by_cohort AS (
    SELECT
        grain,
        months,
        cohort,
        cohort_index,
        age,
        calendar_index,
        calendar_period,
        active,
        LEAD(active_again) OVER (PARTITION BY months, cohort ORDER BY calendar_index) AS active_again
    FROM lenses.cohort_cells
),

every_cohort AS (
    SELECT * FROM by_cohort
    UNION ALL
    SELECT
        grain,
        months,
        'all' AS cohort,
        CAST(NULL AS BIGINT) AS cohort_index,
        CAST(NULL AS BIGINT) AS age,
        calendar_index,
        calendar_period,
        SUM(active) AS active,
        SUM(active_again) AS active_again
    FROM by_cohort
    GROUP BY grain, months, calendar_index, calendar_period
)

SELECT
    $as_of AS as_of,
    e.grain,
    e.cohort,
    e.age,
    e.calendar_period,
    n.calendar_period AS next_period,
    n.complete,
    CAST(e.active AS BIGINT) AS active,
    CAST(e.active_again AS BIGINT) AS active_again,
    CAST(e.active_again AS DOUBLE) / NULLIF(CAST(e.active AS DOUBLE), 0) AS repeat_buying_rate
FROM every_cohort AS e
INNER JOIN lenses.calendar AS n ON e.months = n.months AND e.calendar_index + e.months = n.calendar_index
ORDER BY e.months, CASE WHEN e.cohort = 'all' THEN 0 ELSE 1 END, e.cohort_index NULLS FIRST, e.calendar_index
