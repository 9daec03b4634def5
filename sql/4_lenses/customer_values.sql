-- One row per grain and customer acquired since the data start: value since acquisition, value decile in the cohort,
-- last active period, and one of 256 buckets of the cohort.
--
-- Value deciles cut the cohort's cumulated profit, largest customers first, ties by id, into ten equal parts: decile
-- = floor(10 x profit of the customers before / profit of all) + 1, at most 10. Loss-makers are in the last, and so
-- is everybody where the cohort earned nothing. Customers of cohorts acquired before the data have bought what nobody
-- has seen, and are left out.
WITH summed AS (
    SELECT
        c.months,
        c.cohort_index,
        c.customer_no,
        CAST(SUM(c.orders) AS BIGINT) AS orders,
        CAST(SUM(c.spend) AS DECIMAL(18, 2)) AS spend,
        CAST(SUM(c.profit) AS DECIMAL(18, 2)) AS profit,
        MAX(CASE WHEN c.orders > 0 THEN c.calendar_index END) AS last_active_index
    FROM lenses.customer_cells AS c
    WHERE c.cohort_index IS NOT NULL
    GROUP BY c.months, c.cohort_index, c.customer_no
),

cumulated AS (
    SELECT
        *,
        -- In cents, as doubles of whole numbers are exact.
        CAST(
            100 * (
                SUM(profit) OVER (
                    PARTITION BY months, cohort_index ORDER BY profit DESC, customer_no
                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
                ) - profit
            ) AS DOUBLE
        ) AS profit_before,
        CAST(100 * SUM(profit) OVER (PARTITION BY months, cohort_index) AS DOUBLE) AS profit_of_all
    FROM summed
)

SELECT
    v.months,
    v.cohort_index,
    v.customer_no,
    v.orders,
    v.spend,
    v.profit,
    v.last_active_index,
    CASE
        WHEN v.profit_of_all > 0 AND v.profit >= 0 AND v.profit_before < v.profit_of_all
            THEN CAST(FLOOR(10 * v.profit_before / v.profit_of_all) AS BIGINT) + 1
        ELSE 10
    END AS decile,
    ROW_NUMBER() OVER (PARTITION BY v.months, v.cohort_index ORDER BY m.shuffled_no) % 256 AS bucket
FROM cumulated AS v
INNER JOIN lenses.members AS m ON v.customer_no = m.customer_no
