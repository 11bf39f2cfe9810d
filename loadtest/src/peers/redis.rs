//! A Redis of the run's own: on a free port, in the run's folder, with the durability asked for.
//!
//! It never touches a Redis that is there already.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::child::{Process, free_port};

/// When Redis synchronises its append-only file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fsync {
    /// Once a second.
    Everysec,
    /// Before each answer.
    Always,
}

/// A running Redis.
#[derive(Debug)]
pub(crate) struct Redis {
    _process: Process,
    port: u16,
}

impl Redis {
    /// Starts one that keeps its files in `folder`.
    pub(crate) async fn start(folder: &Path, fsync: Fsync) -> Result<Self> {
        let fsync = match fsync {
            Fsync::Everysec => "everysec",
            Fsync::Always => "always",
        };
        let place = folder.join("redis");
        fs::create_dir_all(&place).with_context(|| format!("making {}", place.display()))?;
        let port = free_port()?;
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--appendonly", "yes", "--appendfsync", fsync, "--dir"]).arg(&place);
        // As docs/operations.md advises; BullMQ has the same.
        command.args(["--auto-aof-rewrite-min-size", "1gb"]);
        let mut process = Process::start(&mut command, folder)?;
        process.listening(SocketAddr::from(([127, 0, 0, 1], port))).await?;
        Ok(Self { _process: process, port })
    }

    /// The URL of its database 0.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }
}
