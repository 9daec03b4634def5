"""The lenses of the customer-base audit: what SQL cannot do alike everywhere, as percentiles and intervals."""
