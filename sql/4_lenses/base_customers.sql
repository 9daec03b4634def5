-- One row per customer with an order or a return: in_base says whether lenses 3 to 5 see it.
--
-- They see everybody without lenses.wanted_values, else those who have each of these values; who has no value has
-- 'unknown'.
WITH everybody AS (
    SELECT DISTINCT customer_id FROM marts.customer_periods
),

matched AS (
    SELECT
        e.customer_id,
        MIN(CASE WHEN COALESCE(a.value, 'unknown') = w.value THEN 1 ELSE 0 END) AS matches
    FROM everybody AS e
    CROSS JOIN lenses.wanted_values AS w
    LEFT JOIN lenses.customer_attributes AS a ON e.customer_id = a.customer_id AND w.attribute = a.attribute
    GROUP BY e.customer_id
)

SELECT e.customer_id, COALESCE(m.matches, 1) = 1 AS in_base
FROM everybody AS e
LEFT JOIN matched AS m ON e.customer_id = m.customer_id
