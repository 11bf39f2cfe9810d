//! beanstalkd, and a driver for its `put`: so many connections, each with one job under way.
//!
//! It synchronises its log with each put (`-f 0`), as the store that it is compared with does.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::child::{Process, free_port};
use crate::clock;

/// As much text as a callback's request has.
const JOB_BYTES: usize = 600;

/// A running beanstalkd.
#[derive(Debug)]
pub(crate) struct Beanstalkd {
    _process: Process,
    address: SocketAddr,
}

impl Beanstalkd {
    /// Starts one that keeps its log in `folder`.
    pub(crate) async fn start(folder: &Path) -> Result<Self> {
        let place = folder.join("beanstalkd");
        fs::create_dir_all(&place).with_context(|| format!("making {}", place.display()))?;
        let port = free_port()?;
        let mut command = Command::new("beanstalkd");
        command.args(["-l", "127.0.0.1", "-p", &port.to_string(), "-f", "0", "-b"]).arg(&place);
        let mut process = Process::start(&mut command, folder)
            .context("beanstalkd isn't there: run `.ci/install beanstalkd`")?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        process.listening(address).await?;
        Ok(Self { _process: process, address })
    }

    /// Puts jobs with a day's delay, for so long and at most so many; how many a second.
    pub(crate) async fn put(&self, connections: u32, time: Duration, count: u64) -> Result<f64> {
        let began = clock::now();
        let ends = began + time;
        let left = Arc::new(AtomicU64::new(count));
        let mut tasks = JoinSet::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(self.address).await.context("connecting to it")?;
            stream.set_nodelay(true).context("TCP_NODELAY")?;
            tasks.spawn(connection(stream, ends, Arc::clone(&left)));
        }
        let mut put = 0;
        while let Some(ended) = tasks.join_next().await {
            put += ended.context("a driver's task panicked")??;
        }
        let took = clock::now().duration_since(began).as_secs_f64();
        Ok(f64::from(put) / took)
    }
}

async fn connection(stream: TcpStream, ends: Instant, left: Arc<AtomicU64>) -> Result<u32> {
    let mut stream = BufReader::new(stream);
    let mut job = format!("put 1024 86400 60 {JOB_BYTES}\r\n").into_bytes();
    job.extend(std::iter::repeat_n(b'x', JOB_BYTES));
    job.extend_from_slice(b"\r\n");
    let mut put = 0;
    let mut answer = String::new();
    let take = |left: u64| left.checked_sub(1);
    while clock::now() < ends
        && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    {
        stream.get_mut().write_all(&job).await.context("putting a job")?;
        answer.clear();
        stream.read_line(&mut answer).await.context("reading its answer")?;
        ensure!(answer.starts_with("INSERTED "), "beanstalkd answers {answer:?}");
        put += 1;
    }
    Ok(put)
}
