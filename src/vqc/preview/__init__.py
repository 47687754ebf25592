"""A look before a set is made of it: what it draws, and what each of its fields does.

studio + look ──take──▶ a frame as `vqc render` makes it ──▶ sheet of draws
look ──factors──▶ fields and values ──holding──▶ looks ──take──▶ sheet with a row for each field
"""
