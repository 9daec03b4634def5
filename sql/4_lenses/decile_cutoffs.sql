-- One row per decile of the cut-offs that both windows share: lower <= profit < upper, null where it is open.
--
-- The cut-offs are the thresholds of window 2's customer deciles, rounded half up to whole multiples of
-- $cutoff_cents cents. A decile that is empty there (of fewer than ten customers) begins where the one above
-- does, so that it stays empty. No row where nobody was active in window 2.
WITH numbers AS (
    SELECT CAST(decile AS BIGINT) AS decile
    FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)) AS t (decile)
),

thresholds AS (
    SELECT n.decile, MIN(d.lowest_profit) AS lowest_profit
    FROM numbers AS n
    INNER JOIN lenses.deciles AS d ON d.kind = 'customer' AND d.decile <= n.decile
    GROUP BY n.decile
),

rounded AS (
    -- In cents, as whole numbers are divided exactly.
    SELECT
        decile,
        CAST(
            CAST(FLOOR(CAST(200 * lowest_profit + $cutoff_cents AS DOUBLE) / (2 * $cutoff_cents)) AS BIGINT)
            * $cutoff_cents * CAST(0.01 AS DECIMAL(3, 2)) AS DECIMAL(18, 2)
        ) AS lowest_profit
    FROM thresholds
)

SELECT
    decile,
    CASE WHEN decile < 10 THEN lowest_profit END AS lower,
    LAG(lowest_profit) OVER (ORDER BY decile) AS upper
FROM rounded
