-- One row per grain, cohort, alignment, number of years since acquisition, set of active years, and whether the
-- customers ordered more than once in the first of them: customers; bit 0 of the mask is the year of acquisition.
--
-- alignment 'age': years of twelve months from the cohort's first month. alignment 'calendar': calendar years.
-- complete: the last of the years has ended.
WITH last_month AS (
    SELECT
        CAST(SUBSTR($as_of, 1, 4) AS BIGINT) * 12 + CAST(SUBSTR($as_of, 6, 2) AS BIGINT) - 1 AS as_of_index,
        STRFTIME($as_of_end + INTERVAL 1 DAY, '%Y-%m') > $as_of AS month_ended
),

alignments AS (
    SELECT alignment
    FROM (VALUES ('age'), ('calendar')) AS t (alignment)
),

aligned AS (
    SELECT
        h.grain,
        h.months,
        h.cohort,
        h.cohort_index,
        h.cohort_size,
        a.alignment,
        CASE a.alignment WHEN 'age' THEN h.cohort_index ELSE h.cohort_index - h.cohort_index % 12 END AS first_index
    FROM lenses.cohorts AS h
    CROSS JOIN alignments AS a
    WHERE h.cohort_size IS NOT NULL
),

masks AS (
    SELECT
        c.months,
        c.cohort_index,
        a.alignment,
        c.customer_no,
        BIT_OR(
            CAST(POWER(2, FLOOR(CAST(c.calendar_index - a.first_index AS DOUBLE) / 12)) AS BIGINT)
        ) AS mask,
        SUM(CASE WHEN c.calendar_index < a.first_index + 12 THEN c.orders ELSE 0 END) > 1 AS repeated
    FROM lenses.customer_cells AS c
    INNER JOIN aligned AS a ON c.months = a.months AND c.cohort_index = a.cohort_index
    WHERE c.orders > 0
    GROUP BY c.months, c.cohort_index, a.alignment, c.customer_no
),

counted AS (
    SELECT months, cohort_index, alignment, mask, repeated, COUNT(*) AS customers
    FROM masks
    GROUP BY months, cohort_index, alignment, mask, repeated
)

SELECT
    $as_of AS as_of,
    a.grain,
    a.cohort,
    a.alignment,
    CAST(FLOOR(CAST(l.as_of_index - a.first_index AS DOUBLE) / 12) AS BIGINT) + 1 AS years,
    (l.as_of_index - a.first_index) % 12 = 11 AND l.month_ended AS complete,
    a.cohort_size,
    c.mask,
    c.repeated,
    c.customers
FROM counted AS c
INNER JOIN aligned AS a ON c.months = a.months AND c.cohort_index = a.cohort_index AND c.alignment = a.alignment
CROSS JOIN last_month AS l
ORDER BY a.months, a.cohort_index, a.alignment, c.mask, c.repeated
