//! The committee of a run: its validators, each in a process of its own.

use std::time::Duration;

use anyhow::{Result, bail};
use quorate_network::Multiaddr;
use quorate_types::PublicKey;
use tokio::sync::mpsc;

use crate::args::Args;
use crate::process::Process;
use crate::sample::{BEGIN, END, HeightProgress, Line, Sample};
use crate::stage::BenchSetup;
use crate::system;

/// The validators that are alive. The first one reports what each height did.
pub(super) struct Committee {
    members: Vec<Member>,
}

struct Member {
    key: PublicKey,
    address: Multiaddr,
    process: Process,
}

/// The CPU time of one validator so far, on average, and the resident memory of the largest one.
pub(super) struct Usage {
    pub(super) cpu: Duration,
    pub(super) rss_bytes: u64,
}

impl Committee {
    /// Starts all validators, and waits until each is connected with all others.
    pub(super) async fn start(
        args: &Args,
        stage: &BenchSetup,
        heights: mpsc::UnboundedSender<HeightProgress>,
    ) -> Result<Self> {
        let mut heights = Some(heights);
        let mut members: Vec<Member> = Vec::new();
        let mut boot: Vec<String> = Vec::new();

        for (data_dir, key) in &stage.validators {
            BenchSetup::configure(data_dir, args.transport, &boot)?;
            // The first validator alone takes the sender, and so reports heights.
            let mut process = Process::start(data_dir.root(), heights.take())?;
            let address = process.hear_address().await?;

            // Each validator starts from the first one and from the one before it.
            boot.truncate(1);
            boot.push(address.clone());
            members.push(Member {
                key: *key,
                address: address.parse()?,
                process,
            });
        }

        for member in &mut members {
            let Line::Connected = member.process.hear().await? else {
                bail!("a validator did not report that it is connected");
            };
        }

        Ok(Self { members })
    }

    /// Kills this many validators, the last ones.
    pub(super) async fn kill(&mut self, count: u64) -> Result<()> {
        for _ in 0..count {
            let Some(mut member) = self.members.pop() else {
                return Ok(());
            };
            member.process.kill().await?;
        }
        Ok(())
    }

    /// Returns the keys and addresses of the live validators.
    pub(super) fn addresses(&self) -> Vec<(PublicKey, Multiaddr)> {
        self.members
            .iter()
            .map(|member| (member.key, member.address.clone()))
            .collect()
    }

    /// Tells all live validators to count from now on.
    pub(super) async fn begin(&mut self) -> Result<()> {
        for member in &mut self.members {
            member.process.tell(BEGIN).await?;
        }
        Ok(())
    }

    /// Asks all live validators for their counts, and joins these.
    pub(super) async fn end(&mut self) -> Result<Sample> {
        for member in &mut self.members {
            member.process.tell(END).await?;
        }

        let mut all = Sample::default();
        for member in &mut self.members {
            let Line::Sample(sample) = member.process.hear().await? else {
                bail!("a validator did not report its counts");
            };
            all = all.join(*sample);
        }

        Ok(all)
    }

    /// Returns the resources that the live validators have taken so far.
    pub(super) fn usage(&self) -> Result<Usage> {
        let pids = || self.members.iter().map(|member| member.process.pid());
        let cpu: Duration = pids().map(system::cpu_time).sum::<Result<_>>()?;
        let living = u32::try_from(self.members.len().max(1))?;

        let mut rss_bytes = 0;
        for pid in pids() {
            rss_bytes = system::resident(pid)?.max(rss_bytes);
        }

        Ok(Usage {
            cpu: cpu / living,
            rss_bytes,
        })
    }

    pub(super) async fn stop(mut self) {
        for member in &mut self.members {
            member.process.stop().await;
        }
    }
}
