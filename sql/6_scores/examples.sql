-- Of the customers in `compared`, three to explain: the first, the middle one of those with a repeat purchase, and
-- the middle one of those without.
SELECT
    *,
    CASE WHEN place = 1 THEN 'top' WHEN kind = 'repeat' THEN 'typical' ELSE 'one-time' END AS example
FROM compared
WHERE place = 1 OR 2 * place_in_kind BETWEEN customers_in_kind AND customers_in_kind + 1
ORDER BY place
