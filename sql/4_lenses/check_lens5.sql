-- Offending rows: the C3 table does not hold every order of the customers up to the as-of month.
WITH totals AS (
    SELECT
        (SELECT COALESCE(SUM(orders), 0) FROM marts.customer_periods) AS orders,
        (SELECT COALESCE(SUM(orders), 0) FROM staged_lenses_lens5_cohort_calendar) AS grid_orders
)
SELECT * FROM totals WHERE orders <> grid_orders
