//! The machines: each actor's behaviour as a plain struct with one entry, `step`.
