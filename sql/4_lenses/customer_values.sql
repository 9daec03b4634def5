-- One row per grain and customer acquired since the data start: value since acquisition, value decile in the cohort, and
-- last active period.
--
-- Value deciles cut the cohort's cumulated profit, largest customers first, into ten equal parts, as
-- ranked_customers does: decile = ceil(10 x profit of all who earned as much or more / profit of all), at most 10.
-- Loss-makers are in the last, and so is everybody where the cohort earned nothing. Customers of cohorts acquired before the data have bought what nobody
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

totals AS (
    SELECT months, cohort_index, CAST(100 * SUM(profit) AS DOUBLE) AS profit_of_all
    FROM summed
    GROUP BY months, cohort_index
),

cumulated AS (
    SELECT
        *,
        -- In cents, as doubles of whole numbers are exact, and add up faster than decimals.
        SUM(CAST(100 * profit AS DOUBLE)) OVER (
            PARTITION BY months, cohort_index ORDER BY profit DESC
            RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS profit_so_far
    FROM summed
)

SELECT
    c.months,
    c.cohort_index,
    c.customer_no,
    c.orders,
    c.spend,
    c.profit,
    c.last_active_index,
    CASE
        WHEN t.profit_of_all > 0 AND c.profit > 0
            THEN LEAST(CAST(CEIL(10 * c.profit_so_far / t.profit_of_all) AS BIGINT), CAST(10 AS BIGINT))
        ELSE 10
    END AS decile
FROM cumulated AS c
INNER JOIN totals AS t ON c.months = t.months AND c.cohort_index = t.cohort_index
