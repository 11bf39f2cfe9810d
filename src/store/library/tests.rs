//! Records, indexes and lists, held against plain models.
