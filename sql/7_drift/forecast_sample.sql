-- Five hundred of the customers, evenly over their ids: enough to tell how far the draws of the parameters disagree.
WITH numbered AS (
    SELECT
        frequency,
        recency,
        "T",
        ROW_NUMBER() OVER (ORDER BY customer_id) AS place,
        COUNT(*) OVER () AS customers
    FROM rfm.customers
)

SELECT CAST(frequency AS DOUBLE) AS frequency, recency, "T"
FROM numbered
WHERE customers <= 500 OR FLOOR(place * 500.0 / customers) > FLOOR((place - 1) * 500.0 / customers)
ORDER BY place
