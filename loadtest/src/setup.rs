//! Makes the queues and agents that a run needs, through the administrator's calls.
//!
//! Separate because three commands need it. It names only settings that the run depends on and
//! leaves all others at the server's defaults.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::client::{Client, Target};
use crate::clock;

/// Connections that set up in parallel; the server writes them in groups.
const CONNECTIONS: usize = 16;
/// How long a server may be away while a run is set up or looked over.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A bar on standard error; hidden where that isn't a terminal.
pub(crate) fn bar(length: u64, what: &'static str) -> ProgressBar {
    let template = "{msg} {wide_bar} {pos}/{len} {elapsed} ";
    let style = ProgressStyle::with_template(template);
    let bar = ProgressBar::new(length).with_message(what);
    bar.set_style(style.expect("the template is a constant"));
    bar
}

/// Puts a queue; an existing one is replaced.
pub(crate) async fn put_queue(
    target: &Target,
    admin: &str,
    id: &str,
    settings: &Value,
) -> Result<()> {
    let mut client = Client::new(target, admin)?;
    let path = format!("/v1/queues/{id}");
    client.put(&path, settings, clock::now() + PATIENCE).await
}

/// Puts every agent that the server doesn't have yet, with these queues.
pub(crate) async fn put_agents(
    target: &Target,
    admin: &str,
    agents: Vec<String>,
    queues: &[String],
) -> Result<()> {
    let queues = Arc::new(queues.to_vec());
    let made = each(target, admin, "agents made", agents, move |mut client, agent| {
        let queues = Arc::clone(&queues);
        async move {
            let path = format!("/v1/agents/{agent}");
            let give_up = clock::now() + PATIENCE;
            let done = match client.get(&path, give_up).await {
                Ok(Some(_)) => Ok(()),
                Ok(None) => {
                    let body = json!({"name": agent, "queues": *queues});
                    client.put(&path, &body, give_up).await
                }
                Err(error) => Err(error),
            };
            (client, done)
        }
    });
    made.await.map(drop)
}

/// Runs one piece of work for each item over a few connections; results in the items' order.
pub(crate) async fn each<T, R, W, F>(
    target: &Target,
    token: &str,
    what: &'static str,
    items: Vec<T>,
    work: W,
) -> Result<Vec<R>>
where
    T: Clone + Send + Sync + 'static,
    R: Send + 'static,
    W: Fn(Client, T) -> F + Clone + Send + 'static,
    F: Future<Output = (Client, Result<R>)> + Send,
{
    let bar = bar(items.len() as u64, what);
    let next = Arc::new(AtomicUsize::new(0));
    let items = Arc::new(items);
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS.min(items.len()) {
        let mut client = Client::new(target, token)?;
        let (items, next, work, bar) =
            (Arc::clone(&items), Arc::clone(&next), work.clone(), bar.clone());
        tasks.push(tokio::spawn(async move {
            let mut results = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { return Ok(results) };
                let (back, result) = work(client, item.clone()).await;
                client = back;
                results.push((index, result?));
                bar.inc(1);
            }
        }));
    }
    let mut all: Vec<(usize, R)> = Vec::new();
    for task in tasks {
        let part: Result<Vec<(usize, R)>> = task.await.context("a driver's task panicked")?;
        all.extend(part?);
    }
    bar.finish_and_clear();
    all.sort_by_key(|(index, _)| *index);
    Ok(all.into_iter().map(|(_, result)| result).collect())
}
