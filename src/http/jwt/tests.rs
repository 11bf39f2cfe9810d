//! Signed tokens: what is believed, and every trick that is not.
