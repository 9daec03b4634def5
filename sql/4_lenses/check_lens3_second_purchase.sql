-- Offending rows: fewer customers with a second order than at the age before, or grains that do not end with all
-- customers who ordered twice by their months.
WITH steps AS (
    SELECT
        grain,
        cohort,
        unit,
        age,
        customers,
        LAG(customers) OVER (PARTITION BY grain, cohort, unit ORDER BY age) AS customers_before,
        ROW_NUMBER() OVER (PARTITION BY grain, cohort, unit ORDER BY age DESC) AS from_last
    FROM staged_lenses_lens3_second_purchase
),
ordered AS (
    SELECT customer_id
    FROM marts.customer_periods
    WHERE customer_id IN (SELECT customer_id FROM lenses.members WHERE acquired_month IS NOT NULL)
    GROUP BY customer_id
    HAVING SUM(orders) > 1
),
ends AS (
    SELECT grain, SUM(customers) AS customers
    FROM steps
    WHERE unit = 'period' AND from_last = 1
    GROUP BY grain
)
SELECT grain, cohort, unit, age, customers, customers_before AS expected FROM steps WHERE customers < customers_before
UNION ALL
SELECT e.grain, 'all' AS cohort, 'period' AS unit, CAST(NULL AS BIGINT) AS age, e.customers, o.customers AS expected
FROM ends AS e
CROSS JOIN (SELECT COUNT(*) AS customers FROM ordered) AS o
WHERE e.customers <> o.customers
