-- One row per grain, cohort, value decile and year since acquisition: how many of the decile were active in the year.
--
-- Years are of twelve months from the cohort's first month; year 1 is that of acquisition. complete: the year has
-- ended.
WITH last_month AS (
    SELECT
        CAST(SUBSTR($as_of, 1, 4) AS BIGINT) * 12 + CAST(SUBSTR($as_of, 6, 2) AS BIGINT) - 1 AS as_of_index,
        STRFTIME($as_of_end + INTERVAL 1 DAY, '%Y-%m') > $as_of AS month_ended
),

customer_years AS (
    SELECT DISTINCT
        months,
        customer_no,
        CAST(FLOOR(CAST(calendar_index - cohort_index AS DOUBLE) / 12) AS BIGINT) + 1 AS year
    FROM lenses.customer_cells
    WHERE orders > 0 AND cohort_index IS NOT NULL
),

counted AS (
    SELECT v.months, v.cohort_index, v.decile, y.year, COUNT(*) AS active
    FROM lenses.customer_values AS v
    INNER JOIN customer_years AS y ON v.months = y.months AND v.customer_no = y.customer_no
    GROUP BY v.months, v.cohort_index, v.decile, y.year
),

deciles AS (
    SELECT months, cohort_index, decile, COUNT(*) AS customers
    FROM lenses.customer_values
    GROUP BY months, cohort_index, decile
),

years AS (
    SELECT DISTINCT
        months,
        cohort_index,
        CAST(FLOOR(CAST(calendar_index - cohort_index AS DOUBLE) / 12) AS BIGINT) + 1 AS year
    FROM lenses.cohort_cells
    WHERE cohort_index IS NOT NULL
)

SELECT
    $as_of AS as_of,
    h.grain,
    h.cohort,
    d.decile,
    y.year,
    l.as_of_index > d.cohort_index + 12 * y.year - 1
    OR (l.as_of_index = d.cohort_index + 12 * y.year - 1 AND l.month_ended) AS complete,
    d.customers,
    CAST(COALESCE(c.active, 0) AS BIGINT) AS active,
    CAST(COALESCE(c.active, 0) AS DOUBLE) / d.customers AS pct_active
FROM deciles AS d
INNER JOIN years AS y ON d.months = y.months AND d.cohort_index = y.cohort_index
INNER JOIN lenses.cohorts AS h ON d.months = h.months AND d.cohort_index = h.cohort_index
LEFT JOIN counted AS c
    ON d.months = c.months AND d.cohort_index = c.cohort_index AND d.decile = c.decile AND y.year = c.year
CROSS JOIN last_month AS l
ORDER BY d.months, d.cohort_index, d.decile, y.year
