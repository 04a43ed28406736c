"""One module per revision, four digits; `database.HEAD` names the newest.

The first digit is the generation. Within one, a revision only adds: tables, indexes, columns that
may be empty, columns of the view. Older versions then work on beside a newer one, and after it was
rolled back. What takes away or changes begins a new generation, and older versions refuse it.
"""
