//! Requests for a callback, field by field.
