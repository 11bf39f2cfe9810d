//! doc
use super::reply::Reply;
use super::state::Shared;
pub(super) fn document(_shared: &Shared) -> Reply {
    Reply::none()
}
pub(super) fn problems() -> Reply {
    Reply::none()
}
