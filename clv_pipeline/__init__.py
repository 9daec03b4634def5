"""Customer-base audit and customer lifetime value from raw transactions; the folder tree is the table of contents."""
