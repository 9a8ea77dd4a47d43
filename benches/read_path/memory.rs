//! Peak memory under many connections.

use crate::args::Args;
use crate::load::{Load, Most};
use crate::measure::World;
use crate::places::Stage;
use crate::work::{Asking, Form};
use crate::{Result, account, server};
use std::time::Duration;

/// A server that was just started each time; the tokens are made elsewhere, so that no password is hashed in it.
pub async fn peaks(world: &mut World, stage: &Stage, args: &Args, numbers: &[usize]) -> Result<()> {
    let token = server::persona(stage, "county-officer")?;
    let mut kinds = std::mem::take(&mut world.kinds);
    for kind in &mut kinds {
        kind.agree(&world.ours, &world.limit, world.token(kind.who)).await?;
    }
    println!("\npeak memory in MiB, each connection asking without a pause, a page of 20 and a child by turns");
    for number in numbers {
        let ours = server::ours(stage, &stage.binary, "memory").await?;
        let start = account::peak(ours.pid())?;
        account::forget_peak(ours.pid())?;
        let (mut served, mut refused) = (0, 0);
        for kind in kinds.iter().filter(|kind| matches!(kind.name, "Q1" | "Q2")) {
            for form in [Form::Warm, Form::Trusted] {
                let asking = Asking::new(kind, Some(form), &token);
                let mut load = Load::open(ours.address, *number, &asking).await?;
                let sample = load.run(&asking, Most::Patiently(Duration::from_secs_f64(args.seconds))).await?;
                served += sample.requests;
                refused += sample.refused;
            }
        }
        let peak = account::peak(ours.pid())? as f64 / 1024.0;
        println!("  {number:5} connections: {peak:.0} (when ready: {:.0}); {served} answers, {refused} refused with 503", start as f64 / 1024.0);
    }
    Ok(())
}
