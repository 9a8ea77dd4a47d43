//! What clients are told of as it happens.

use crate::context::{actor, domain, trail};
use crate::errors::soft;
use crate::ids;
use crate::object::Object;
use crate::selection::Walk;
use crate::types::Child;
use async_graphql::{Context, ID, Subscription};
use domain::access::mutant;
use domain::store::Cell;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::broadcast::error::RecvError;

pub struct Subscriptions;

/// What clients are told of as it happens.
#[Subscription(name = "Subscription")]
impl Subscriptions {
    /// The child's file now and after each change of anything in it, each time as far as you may see it then.
    async fn child_changed(&self, ctx: &Context<'_>, #[graphql(desc = "Id of the child.")] child_id: ID) -> impl Stream<Item = Option<Child>> {
        let id = soft(ctx, ids::expect(&child_id, "Child", "childId"));
        let receiver = domain(ctx).changes();
        let events = stream::unfold((receiver, true), move |(mut receiver, first)| async move {
            let id = id?;
            if first {
                return Some((id, (receiver, false)));
            }
            loop {
                match receiver.recv().await {
                    Ok(change) if change.child == Some(id) => return Some((id, (receiver, false))),
                    Ok(_) => {}
                    // Too slow to hear every change: the file is read again in any case.
                    Err(RecvError::Lagged(_)) => return Some((id, (receiver, false))),
                    Err(RecvError::Closed) => return None,
                }
            }
        });
        let want = Walk::of(ctx).here(Child::TYPE).ok();
        let (domain, actor, trail) = (domain(ctx).clone(), actor(ctx).clone(), trail(ctx).clone());
        // A file out of reach is as silent as one that is not there: after the first answer only what is or was visible speaks.
        let (mut first, mut visible) = (true, false);
        let answers = events.then(move |id| {
            let (domain, actor, trail, want) = (domain.clone(), actor.clone(), trail.clone(), want.clone());
            async move {
                let want = want?;
                let asking = domain::signin::Asking { language: actor.language, request_id: actor.request_id.clone(), purpose: Some(actor.purpose.clone()), session: actor.session.map(|s| s.id) };
                // Grants may have changed since the last event.
                let actor = match mutant::off("subscription.fresh") {
                    true => actor,
                    false => domain.sign_in(&actor.account.to_string(), asking).await.ok()?,
                };
                let found = domain.reader(&actor).object(&want, Cell::Uuid(id)).await.ok().flatten();
                trail.record(&want, found.as_deref());
                found.map(Child)
            }
        });
        answers.filter(move |found| {
            let speaks = std::mem::take(&mut first) || found.is_some() || visible || mutant::off("subscription.silent");
            visible = found.is_some();
            std::future::ready(speaks)
        })
    }
}
