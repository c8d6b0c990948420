"""What is true of the data, in one file for each subject: schema, named rules, pure transforms.

What happens to records that break a rule is decided in the registry's row.
"""
