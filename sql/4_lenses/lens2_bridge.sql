-- One row per step, always six: how the profit of window 1 became that of window 2 (windows and groups as in
-- lens2_groups).
--
-- Steps 2 to 5 are signed changes: window_1 + the changes = window_2, to the cent.
WITH as_of_month AS (
    SELECT CAST(SUBSTR($as_of, 1, 4) AS BIGINT) * 12 + CAST(SUBSTR($as_of, 6, 2) AS BIGINT) AS after_month
),

first_months AS (
    SELECT after_month - 2 * $window_months AS month_1, after_month - $window_months AS month_2
    FROM as_of_month
),

bounds AS (
    SELECT
        CONCAT(
            LPAD(CAST(CAST(FLOOR(CAST(month_1 AS DOUBLE) / 12) AS BIGINT) AS VARCHAR), 4, '0'),
            '-',
            LPAD(CAST(month_1 % 12 + 1 AS VARCHAR), 2, '0')
        ) AS start_1,
        CONCAT(
            LPAD(CAST(CAST(FLOOR(CAST(month_2 AS DOUBLE) / 12) AS BIGINT) AS VARCHAR), 4, '0'),
            '-',
            LPAD(CAST(month_2 % 12 + 1 AS VARCHAR), 2, '0')
        ) AS start_2
    FROM first_months
),

by_customer AS (
    SELECT
        p.customer_id,
        COALESCE(SUM(p.orders) FILTER (WHERE p.period < b.start_1), 0) AS orders_0,
        COALESCE(SUM(p.orders) FILTER (WHERE p.period >= b.start_1 AND p.period < b.start_2), 0) AS orders_1,
        COALESCE(SUM(p.profit) FILTER (WHERE p.period >= b.start_1 AND p.period < b.start_2), 0) AS profit_1,
        COALESCE(SUM(p.orders) FILTER (WHERE p.period >= b.start_2), 0) AS orders_2,
        COALESCE(SUM(p.profit) FILTER (WHERE p.period >= b.start_2), 0) AS profit_2
    FROM marts.customer_periods AS p
    CROSS JOIN bounds AS b
    GROUP BY p.customer_id
),

changes AS (
    SELECT
        SUM(profit_1) FILTER (WHERE orders_1 > 0) AS window_1,
        -SUM(profit_1) FILTER (WHERE orders_1 > 0 AND orders_2 = 0) AS did_not_return,
        SUM(profit_2 - profit_1) FILTER (WHERE orders_1 > 0 AND orders_2 > 0) AS change_in_both,
        SUM(profit_2) FILTER (WHERE orders_2 > 0 AND orders_1 = 0 AND orders_0 = 0) AS new_customers,
        SUM(profit_2) FILTER (WHERE orders_2 > 0 AND orders_1 = 0 AND orders_0 > 0) AS returning_customers,
        SUM(profit_2) FILTER (WHERE orders_2 > 0) AS window_2
    FROM by_customer
),

steps AS (
    SELECT 1 AS step, 'window_1' AS item, window_1 AS profit FROM changes
    UNION ALL
    SELECT 2 AS step, 'did_not_return' AS item, did_not_return AS profit FROM changes
    UNION ALL
    SELECT 3 AS step, 'change_in_both' AS item, change_in_both AS profit FROM changes
    UNION ALL
    SELECT 4 AS step, 'new' AS item, new_customers AS profit FROM changes
    UNION ALL
    SELECT 5 AS step, 'returning' AS item, returning_customers AS profit FROM changes
    UNION ALL
    SELECT 6 AS step, 'window_2' AS item, window_2 AS profit FROM changes
)

SELECT
    $as_of AS as_of,
    CAST(step AS BIGINT) AS step,
    item,
    CAST(COALESCE(profit, 0) AS DECIMAL(18, 2)) AS profit
FROM steps
ORDER BY step
