"""What is true of the data, one file a subject: schema, named rules, pure transforms. What to do about it is
the registry row's business."""
