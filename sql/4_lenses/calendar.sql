-- One row per grain (quarter, year, and that of $cohort_months) and calendar period, back from the period of
-- $as_of.
--
-- calendar_index is the period's first month, counted from year 0; complete: the period has ended. Counted back
-- from the as-of, not read from the data, for a period without a single row must appear too.
WITH as_of_month AS (
    SELECT CAST(SUBSTR($as_of, 1, 4) AS BIGINT) * 12 + CAST(SUBSTR($as_of, 6, 2) AS BIGINT) - 1 AS month
),

digits AS (
    SELECT CAST(digit AS BIGINT) AS digit
    FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS t (digit)
),

grains AS (
    SELECT grain, CAST(months AS BIGINT) AS months
    FROM (VALUES ('month', 1), ('quarter', 3), ('year', 12)) AS t (grain, months)
    WHERE months IN (3, 12, $cohort_months)
),

counted AS (
    SELECT
        g.grain,
        g.months,
        a.month - a.month % g.months - g.months * (100 * h.digit + 10 * t.digit + u.digit) AS calendar_index,
        h.digit + t.digit + u.digit > 0
        OR (
            (a.month + 1) % g.months = 0 AND STRFTIME($as_of_end + INTERVAL 1 DAY, '%Y-%m') > $as_of
        ) AS complete
    FROM as_of_month AS a
    CROSS JOIN grains AS g
    CROSS JOIN digits AS h
    CROSS JOIN digits AS t
    CROSS JOIN digits AS u
),

parts AS (
    SELECT
        grain,
        months,
        calendar_index,
        complete,
        LPAD(CAST(CAST(FLOOR(CAST(calendar_index AS DOUBLE) / 12) AS BIGINT) AS VARCHAR), 4, '0') AS year_label,
        LPAD(CAST(calendar_index % 12 + 1 AS VARCHAR), 2, '0') AS month_label,
        CAST(CAST(FLOOR(CAST(calendar_index % 12 AS DOUBLE) / 3) AS BIGINT) + 1 AS VARCHAR) AS quarter_label
    FROM counted
    WHERE calendar_index >= 0
)

SELECT
    grain,
    months,
    calendar_index,
    CONCAT(year_label, '-', month_label) AS calendar_start,
    CASE grain
        WHEN 'year' THEN year_label
        WHEN 'quarter' THEN CONCAT(year_label, 'Q', quarter_label)
        ELSE CONCAT(year_label, '-', month_label)
    END AS calendar_period,
    complete
FROM parts
