-- Offending rows: the C3 table does not hold every order up to the as-of month of the customers
-- whom lenses 3 to 5 see.
WITH totals AS (
    SELECT
        (
            SELECT COALESCE(SUM(orders), 0)
            FROM marts.customer_periods
            WHERE customer_id IN (SELECT customer_id FROM lenses.base_customers WHERE in_base)
        ) AS orders,
        (SELECT COALESCE(SUM(orders), 0) FROM staged_lenses_lens5_cohort_calendar) AS grid_orders
)
SELECT * FROM totals WHERE orders <> grid_orders
