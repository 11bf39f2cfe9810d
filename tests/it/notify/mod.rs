//! Meetings of video callbacks, end to end: from a request over HTTP to Zoom as it was published,
//! or into a room of a Jitsi server.

#[path = "../../../src/notify/meeting/zoom/fake.rs"]
#[expect(dead_code, reason = "the adapter's own tests have more troubles")]
mod fake;
mod meetings;
#[path = "../../../src/notify/test_server.rs"]
#[expect(dead_code, reason = "the adapters' own tests ask it for more")]
mod test_server;
