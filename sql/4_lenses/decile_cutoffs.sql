-- One row per decile of the cut-offs that both windows share: lower < profit <= upper, null where it is open.
--
-- The cut-offs are those of lenses.given_cutoffs, or else the thresholds of window 2's value deciles, rounded half up
-- to whole multiples of $cutoff_cents cents: a decile that is empty there begins where the one above does, so that it
-- stays empty. No row where none are given and window 2 made no profit.
WITH numbers AS (
    SELECT CAST(decile AS BIGINT) AS decile
    FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)) AS t (decile)
),

highest AS (
    SELECT value_decile, MAX(profit) AS profit
    FROM lenses.ranked_customers
    WHERE value_decile IS NOT NULL
    GROUP BY value_decile
),

thresholds AS (
    SELECT n.decile, MAX(h.profit) FILTER (WHERE h.value_decile > n.decile) AS threshold
    FROM numbers AS n
    CROSS JOIN highest AS h
    GROUP BY n.decile
),

rounded AS (
    -- In cents, as whole numbers are divided exactly.
    SELECT
        decile,
        CAST(
            CAST(FLOOR(CAST(200 * threshold + $cutoff_cents AS DOUBLE) / (2 * $cutoff_cents)) AS BIGINT)
            * $cutoff_cents * CAST(0.01 AS DECIMAL(3, 2)) AS DECIMAL(18, 2)
        ) AS threshold
    FROM thresholds
),

chosen AS (
    SELECT decile, threshold FROM lenses.given_cutoffs
    UNION ALL
    SELECT decile, threshold FROM rounded WHERE NOT EXISTS (SELECT 1 FROM lenses.given_cutoffs)
)

SELECT
    decile,
    threshold AS lower,
    LAG(threshold) OVER (ORDER BY decile) AS upper
FROM chosen
