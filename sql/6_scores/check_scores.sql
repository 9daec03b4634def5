-- Offending rows: customers of the RFM table without exactly one score, and scores without a customer. Without a fit
-- (no month with a known customer has ended) there is no score at all.
SELECT customer_id, COUNT(r.customer_id) AS in_rfm, COUNT(s.customer_id) AS in_scores
FROM rfm.customers AS r
FULL OUTER JOIN staged_scores_customers AS s USING (customer_id)
GROUP BY customer_id
HAVING COUNT(s.customer_id) > 1
    OR COUNT(r.customer_id) <> COUNT(s.customer_id) AND EXISTS (SELECT 1 FROM models.in_use)
