//! Steps over several use cases of the domain, and those that have no home there yet.

use crate::config::LoadDivisions;
use domain::access::Actor;
use domain::{Domain, Error, demo};
use entity::DivisionCode;

/// What goes on loading behind a running server.
#[derive(Clone, Copy, Debug)]
pub struct Behind {
    /// Synthetic ones, in the demonstration.
    pub children: usize,
    pub divisions: LoadDivisions,
}

/// `progress` hears what is loading, how much of it is in, and of how much.
pub async fn load(domain: &Domain, behind: Behind, progress: &(dyn Fn(&'static str, u64, u64) + Send + Sync)) -> Result<(), Error> {
    if behind.children > 0 {
        demo::fill(domain, behind.children, &|done, total| progress("children", done, total)).await?;
    }
    if behind.divisions != LoadDivisions::None {
        domain.load_upper_divisions().await?;
    }
    if behind.divisions == LoadDivisions::All {
        domain.load_villages(DivisionCode::new(demo::COUNTY), &|done, total| progress("divisions", done, total)).await?;
    }
    Ok(())
}

/// Whether this viewer may hand in files for the purpose stated.
pub fn may_upload(actor: &Actor) -> bool {
    domain::check!("upload.action", actor.lens.actions.contains("importSurvey"))
}

