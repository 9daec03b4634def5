-- Offending rows: customers of the RFM table without exactly one score, and scores without a customer.
SELECT customer_id, COUNT(r.customer_id) AS in_rfm, COUNT(s.customer_id) AS in_scores
FROM rfm.customers AS r
FULL OUTER JOIN staged_scores_customers AS s USING (customer_id)
GROUP BY customer_id
HAVING COUNT(r.customer_id) <> 1 OR COUNT(s.customer_id) <> 1
