-- One row per window of $window_months months: 2 ends at $as_of, 1 just before window 2.
--
-- window_complete: the data reaches from the first day of the window to the last.
WITH as_of_month AS (
    SELECT CAST(SUBSTR($as_of, 1, 4) AS BIGINT) * 12 + CAST(SUBSTR($as_of, 6, 2) AS BIGINT) AS after_month
),

months AS (
    SELECT 1 AS window_number, after_month - 2 * $window_months AS first_month, after_month - $window_months - 1 AS last_month
    FROM as_of_month
    UNION ALL
    SELECT 2 AS window_number, after_month - $window_months AS first_month, after_month - 1 AS last_month
    FROM as_of_month
),

labels AS (
    SELECT
        CAST(window_number AS BIGINT) AS window_number,
        CONCAT(
            LPAD(CAST(CAST(FLOOR(CAST(first_month AS DOUBLE) / 12) AS BIGINT) AS VARCHAR), 4, '0'),
            '-',
            LPAD(CAST(first_month % 12 + 1 AS VARCHAR), 2, '0')
        ) AS window_start,
        CONCAT(
            LPAD(CAST(CAST(FLOOR(CAST(last_month AS DOUBLE) / 12) AS BIGINT) AS VARCHAR), 4, '0'),
            '-',
            LPAD(CAST(last_month % 12 + 1 AS VARCHAR), 2, '0')
        ) AS window_end
    FROM months
)

SELECT
    window_number,
    window_start,
    window_end,
    window_start >= $data_start
    AND STRFTIME($as_of_end + INTERVAL 1 DAY, '%Y-%m') > window_end AS window_complete
FROM labels
