-- One row per step, always six: how the profit of window 1 became that of window 2 (windows and groups as in
-- lens2_groups).
--
-- Steps 2 to 5 are signed changes: window_1 + the changes = window_2, to the cent.
WITH changes AS (
    SELECT
        SUM(profit_1) FILTER (WHERE orders_1 > 0) AS window_1,
        -SUM(profit_1) FILTER (WHERE orders_1 > 0 AND orders_2 = 0) AS did_not_return,
        SUM(profit_2 - profit_1) FILTER (WHERE orders_1 > 0 AND orders_2 > 0) AS change_in_both,
        SUM(profit_2) FILTER (WHERE orders_2 > 0 AND orders_1 = 0 AND is_new) AS new_customers,
        SUM(profit_2) FILTER (WHERE orders_2 > 0 AND orders_1 = 0 AND NOT is_new) AS returning_customers,
        SUM(profit_2) FILTER (WHERE orders_2 > 0) AS window_2
    FROM lenses.window_customers
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
