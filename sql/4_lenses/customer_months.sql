-- One row per month and customer whom lenses 3 to 5 see, with numbers for keys; customers without any order have no number.
WITH months AS (
    SELECT
        period,
        CAST(SUBSTR(period, 1, 4) AS BIGINT) * 12 + CAST(SUBSTR(period, 6, 2) AS BIGINT) - 1 AS month_index
    FROM (SELECT DISTINCT period FROM marts.customer_periods) AS p
)

SELECT
    c.customer_no,
    c.acquired_month,
    m.month_index,
    p.orders,
    p.spend,
    p.profit
FROM marts.customer_periods AS p
INNER JOIN months AS m ON p.period = m.period
INNER JOIN lenses.base_customers AS b ON p.customer_id = b.customer_id
LEFT JOIN lenses.members AS c ON p.customer_id = c.customer_id
WHERE b.in_base
