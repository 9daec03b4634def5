-- One row per day with lines, from month $since on: how many.
SELECT CAST(order_ts AS DATE) AS "day", COUNT(*) AS lines
FROM transactions.lines
WHERE period >= $since
GROUP BY CAST(order_ts AS DATE)
ORDER BY CAST(order_ts AS DATE)
