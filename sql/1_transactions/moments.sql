-- One row per text of given_moments: the wall-clock time in the business time zone that it says, and what is wrong with
-- it.
--
-- An offset in the text counts; without one, the time is of the business already.
WITH parsed AS (
    SELECT
        place,
        CASE
            WHEN REGEXP_MATCHES(said, ':[0-9]{2}.*(Z|[+-][0-9]{2}(:?[0-9]{2})?)$')
                THEN TIMEZONE($business_timezone, TRY_CAST(said AS TIMESTAMPTZ))
            ELSE TRY_CAST(said AS TIMESTAMP)
        END AS moment
    FROM given_moments
    WHERE said IS NOT NULL
),

judged AS (
    SELECT
        *,
        CASE
            WHEN moment IS NULL THEN 'no date'
            WHEN moment < TIMESTAMP '1970-01-01 00:00:00' THEN 'before 1970'
            WHEN moment > $now THEN 'in the future'
        END AS problem
    FROM parsed
)

SELECT place, moment, problem
FROM judged
ORDER BY place
