-- One row per decile in window 1 and decile in window 2 (on the cut-offs of lenses.decile_cutoffs) that some
-- customer was in; null: not active in that window.
WITH cutoffs AS (
    SELECT
        MAX(CASE WHEN decile = 1 THEN lower END) AS lower_1,
        MAX(CASE WHEN decile = 2 THEN lower END) AS lower_2,
        MAX(CASE WHEN decile = 3 THEN lower END) AS lower_3,
        MAX(CASE WHEN decile = 4 THEN lower END) AS lower_4,
        MAX(CASE WHEN decile = 5 THEN lower END) AS lower_5,
        MAX(CASE WHEN decile = 6 THEN lower END) AS lower_6,
        MAX(CASE WHEN decile = 7 THEN lower END) AS lower_7,
        MAX(CASE WHEN decile = 8 THEN lower END) AS lower_8,
        MAX(CASE WHEN decile = 9 THEN lower END) AS lower_9
    FROM lenses.decile_cutoffs
    HAVING COUNT(*) > 0
),

placed AS (
    SELECT
        CASE
            WHEN w.orders_1 = 0 THEN NULL
            WHEN w.profit_1 > c.lower_1 THEN 1
            WHEN w.profit_1 > c.lower_2 THEN 2
            WHEN w.profit_1 > c.lower_3 THEN 3
            WHEN w.profit_1 > c.lower_4 THEN 4
            WHEN w.profit_1 > c.lower_5 THEN 5
            WHEN w.profit_1 > c.lower_6 THEN 6
            WHEN w.profit_1 > c.lower_7 THEN 7
            WHEN w.profit_1 > c.lower_8 THEN 8
            WHEN w.profit_1 > c.lower_9 THEN 9
            ELSE 10
        END AS decile_1,
        CASE
            WHEN w.orders_2 = 0 THEN NULL
            WHEN w.profit_2 > c.lower_1 THEN 1
            WHEN w.profit_2 > c.lower_2 THEN 2
            WHEN w.profit_2 > c.lower_3 THEN 3
            WHEN w.profit_2 > c.lower_4 THEN 4
            WHEN w.profit_2 > c.lower_5 THEN 5
            WHEN w.profit_2 > c.lower_6 THEN 6
            WHEN w.profit_2 > c.lower_7 THEN 7
            WHEN w.profit_2 > c.lower_8 THEN 8
            WHEN w.profit_2 > c.lower_9 THEN 9
            ELSE 10
        END AS decile_2,
        CASE WHEN w.orders_1 > 0 THEN w.profit_1 END AS profit_1,
        CASE WHEN w.orders_2 > 0 THEN w.profit_2 END AS profit_2
    FROM lenses.window_customers AS w
    CROSS JOIN cutoffs AS c
    WHERE w.orders_1 > 0 OR w.orders_2 > 0
)

SELECT
    CAST(decile_1 AS BIGINT) AS decile_1,
    CAST(decile_2 AS BIGINT) AS decile_2,
    COUNT(*) AS customers,
    CAST(COALESCE(SUM(profit_1), 0) AS DECIMAL(18, 2)) AS profit_1,
    CAST(COALESCE(SUM(profit_2), 0) AS DECIMAL(18, 2)) AS profit_2
FROM placed
GROUP BY decile_1, decile_2
