//! Who may change what, and what a patch may not say.
