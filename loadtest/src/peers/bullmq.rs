//! BullMQ, driven by a script under Node in a process of its own.
//!
//! The script stands beside this file and is given to Node as text, so that the program works
//! wherever it is started; the packages are where `.ci/install bullmq` puts them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::child::Process;

const SCRIPT: &str = include_str!("bullmq.mjs");
/// Jobs that its worker has under way at once.
const CONCURRENCY: u32 = 300;

/// Where BullMQ is installed.
#[derive(Debug, Clone)]
pub(crate) struct BullMq {
    packages: PathBuf,
}

/// What the script prints.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reached {
    per_second: f64,
}

impl BullMq {
    /// Looks for it; an error says how to get it.
    pub(crate) fn find(packages: &Path) -> Result<Self> {
        let manifest = packages.join("node_modules/bullmq/package.json");
        ensure!(manifest.is_file(), "BullMQ isn't installed: run `.ci/install bullmq`");
        Ok(Self { packages: packages.to_owned() })
    }

    /// Its version and its client's.
    pub(crate) fn version(&self) -> Result<String> {
        let of = |package: &str| -> Result<String> {
            let path = self.packages.join("node_modules").join(package).join("package.json");
            let text = std::fs::read_to_string(&path);
            let text = text.with_context(|| format!("reading {}", path.display()))?;
            let manifest: serde_json::Value = serde_json::from_str(&text)?;
            Ok(format!("{package} {}", manifest["version"].as_str().unwrap_or("?")))
        };
        Ok(format!("{}, {}", of("bullmq")?, of("ioredis")?))
    }

    /// `queue.add` of delayed jobs, so many at a time; how many a second.
    pub(crate) async fn add(
        &self,
        redis: &str,
        folder: &Path,
        (in_flight, time): (u32, Duration),
        count: u64,
    ) -> Result<f64> {
        let numbers = [in_flight.to_string(), time.as_secs_f64().to_string(), count.to_string()];
        self.run("add", redis, folder, &numbers).await
    }

    /// So many jobs due at the same moment, until its worker has had them all; how many a second.
    pub(crate) async fn storm(&self, redis: &str, folder: &Path, jobs: u32) -> Result<f64> {
        self.run("storm", redis, folder, &[CONCURRENCY.to_string(), jobs.to_string()]).await
    }

    async fn run(&self, mode: &str, redis: &str, folder: &Path, numbers: &[String]) -> Result<f64> {
        let script = folder.join("bullmq.mjs");
        std::fs::write(&script, SCRIPT).with_context(|| format!("writing {}", script.display()))?;
        let mut command = Command::new("node");
        command.arg(&script).arg(&self.packages).args([mode, redis]).args(numbers);
        let process = Process::start(&mut command, folder)?;
        let said = process.output().await?;
        let reached: Result<Reached, _> = serde_json::from_str(&said);
        Ok(reached.with_context(|| format!("BullMQ's script said {said:?}"))?.per_second)
    }
}
