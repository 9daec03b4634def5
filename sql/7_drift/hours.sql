-- One row per month, from $since on, and hour of the day: lines that carry a time of day at all.
SELECT period, CAST(EXTRACT(HOUR FROM order_ts) AS BIGINT) AS "hour", COUNT(*) AS lines
FROM transactions.lines
WHERE
    period >= $since
    AND EXTRACT(HOUR FROM order_ts) + EXTRACT(MINUTE FROM order_ts) + EXTRACT(SECOND FROM order_ts) > 0
GROUP BY period, CAST(EXTRACT(HOUR FROM order_ts) AS BIGINT)
ORDER BY period, CAST(EXTRACT(HOUR FROM order_ts) AS BIGINT)
