"""What is known of customers beside their orders: who is who, what is said of them, who may not be shown.

Belongs here: reading what is said (`rows.py`), the map of identifiers (`id_map.py`), what is published of both
(`landing.py`), and which columns describe a customer (`attributes.py`). Does not belong here: the settings
(`settings/customers.py`), the rules (`clv/customers/`), cohorts (`sql/2_marts/customers.sql`), or a person's rights
(`privacy/`).
"""
