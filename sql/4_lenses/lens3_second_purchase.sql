-- One row per grain, cohort, unit and age: customers with a second order by that age since acquisition.
--
-- unit 'period': age in cohort periods, to the period of $as_of. unit 'day': age in days since each customer's
-- acquisition, the first 365. complete: every customer of the cohort has been seen for that long. Cohort 'before
-- <data start>' is left out: which of its orders is the second cannot be known.
WITH digits AS (
    SELECT CAST(digit AS BIGINT) AS digit
    FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS t (digit)
),

days AS (
    SELECT 100 * h.digit + 10 * t.digit + u.digit AS age
    FROM digits AS h
    CROSS JOIN digits AS t
    CROSS JOIN digits AS u
    WHERE 100 * h.digit + 10 * t.digit + u.digit <= 365
),

acquired AS (
    SELECT acquired_month, MIN(acquired_day) AS first_day, MAX(acquired_day) AS last_day
    FROM lenses.members
    WHERE acquired_month IS NOT NULL
    GROUP BY acquired_month
),

seen AS (
    SELECT
        h.months,
        h.cohort_index,
        DATE_DIFF('day', MIN(a.first_day), $as_of_end) AS longest,
        DATE_DIFF('day', MAX(a.last_day), $as_of_end) AS shortest
    FROM lenses.cohorts AS h
    INNER JOIN acquired AS a ON h.cohort_index = a.acquired_month - a.acquired_month % h.months
    GROUP BY h.months, h.cohort_index
),

waits AS (
    SELECT acquired_month, DATE_DIFF('day', acquired_day, order_day) AS age, COUNT(*) AS second_orders
    FROM lenses.numbered_orders
    WHERE order_number = 2
    GROUP BY 1, 2
),

by_day AS (
    SELECT h.months, h.cohort_index, w.age, SUM(w.second_orders) AS second_orders
    FROM lenses.cohorts AS h
    INNER JOIN waits AS w ON h.cohort_index = w.acquired_month - w.acquired_month % h.months
    GROUP BY h.months, h.cohort_index, w.age
),

cells AS (
    SELECT grain, months, cohort, cohort_index, cohort_size, 'period' AS unit, age, complete, second_orders
    FROM lenses.cohort_cells
    WHERE cohort_size IS NOT NULL
    UNION ALL
    SELECT
        h.grain,
        h.months,
        h.cohort,
        h.cohort_index,
        h.cohort_size,
        'day' AS unit,
        d.age,
        d.age <= s.shortest AS complete,
        COALESCE(b.second_orders, 0) AS second_orders
    FROM lenses.cohorts AS h
    INNER JOIN seen AS s ON h.months = s.months AND h.cohort_index = s.cohort_index
    INNER JOIN days AS d ON s.longest >= d.age
    LEFT JOIN by_day AS b ON h.months = b.months AND h.cohort_index = b.cohort_index AND d.age = b.age
),

cumulated AS (
    SELECT
        *,
        SUM(second_orders) OVER (
            PARTITION BY months, cohort_index, unit ORDER BY age ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS customers
    FROM cells
)

SELECT
    $as_of AS as_of,
    grain,
    cohort,
    unit,
    age,
    complete,
    cohort_size,
    CAST(customers AS BIGINT) AS customers,
    CAST(customers AS DOUBLE) / cohort_size AS share_customers
FROM cumulated
ORDER BY months, cohort_index, unit DESC, age
