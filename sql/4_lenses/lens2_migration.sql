-- One row per decile in window 1 and decile in window 2: 100 of those active in both, and the margins, whose
-- decile in the other window is null (not active). Always 120, or none where there are no cut-offs.
--
-- The value deciles are on the same cut-offs in both windows (lens2_common_deciles), so that they hold a tenth of the
-- profit in window 2 only. share_of_decile_1: of those in decile_1 in window 1, not active in 2 included.
WITH deciles AS (
    SELECT decile FROM lenses.decile_cutoffs
),

cells AS (
    SELECT 'both' AS customer_group, a.decile AS decile_1, b.decile AS decile_2
    FROM deciles AS a
    CROSS JOIN deciles AS b
    UNION ALL
    SELECT 'first_only' AS customer_group, decile AS decile_1, CAST(NULL AS BIGINT) AS decile_2
    FROM deciles
    UNION ALL
    SELECT 'second_only' AS customer_group, CAST(NULL AS BIGINT) AS decile_1, decile AS decile_2
    FROM deciles
),

filled AS (
    SELECT
        c.customer_group,
        c.decile_1,
        c.decile_2,
        COALESCE(m.customers, 0) AS customers,
        COALESCE(m.profit_1, 0) AS profit_1,
        COALESCE(m.profit_2, 0) AS profit_2
    FROM cells AS c
    LEFT JOIN lenses.decile_moves AS m
        ON
            COALESCE(c.decile_1, 0) = COALESCE(m.decile_1, 0)
            AND COALESCE(c.decile_2, 0) = COALESCE(m.decile_2, 0)
)

SELECT
    $as_of AS as_of,
    customer_group,
    decile_1,
    decile_2,
    customers,
    CASE
        WHEN decile_1 IS NOT NULL
            THEN
                CAST(customers AS DOUBLE)
                / NULLIF(CAST(SUM(customers) OVER (PARTITION BY decile_1) AS DOUBLE), 0)
    END AS share_of_decile_1,
    CAST(profit_1 AS DECIMAL(18, 2)) AS profit_1,
    CAST(profit_2 AS DECIMAL(18, 2)) AS profit_2
FROM filled
ORDER BY decile_1 NULLS LAST, decile_2 NULLS LAST
