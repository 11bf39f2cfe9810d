//! Keys, signed tokens and manage tokens, good and bad.
