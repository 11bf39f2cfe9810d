//! What Ringback is compared with: the same HTTP with nothing behind it, and other people's
//! queues, set up as their own documentation advises.
//!
//! Each is started by the run that needs it and ends with it.

pub(crate) mod beanstalkd;
pub(crate) mod bullmq;
pub(crate) mod noop;
pub(crate) mod redis;
