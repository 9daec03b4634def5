"""The sections of the pages: each function turns the tables it names into blocks, with the sentences computed."""
