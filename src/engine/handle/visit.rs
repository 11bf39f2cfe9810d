//! What tests see of a workspace from within.

use std::rc::Rc;

use tokio::sync::oneshot;

use super::Handle;
use crate::engine::door_actor::Visit;
use crate::engine::office::Office;

impl Handle {
    /// Lets a test look at the office, or do something in it, on the workspace's thread.
    pub(crate) async fn visit<T: Send + 'static>(
        &self,
        visit: impl FnOnce(&Rc<Office>) -> T + Send + 'static,
    ) -> T {
        let (tell, told) = oneshot::channel();
        let visit = Visit(Box::new(move |office| {
            assert!(tell.send(visit(office)).is_ok(), "the test waits");
        }));
        self.shared.post(visit).expect("a workspace is there to be visited");
        told.await.expect("the visit was made")
    }
}
