//! Generated documents that are made to do harm: each is answered with little work and few bytes, and the next caller as ever.

#[path = "../../tests/support/hostile.rs"]
mod documents;

use crate::support::World;
use documents::{ATTACKS, TIMES, USUAL, largest};
use graphql::{Limits, Request, Schema};

/// In a build that is not optimised; docs/security.md has the figures of an optimised one.
const MOST_MILLIS: u64 = 300;
const MOST_BYTES: usize = 32 << 10;
const MOST_STATEMENTS: u32 = 60;

/// What this thread has used of a processor, in milliseconds; 0 where the system does not tell.
fn used() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0) / 1_000_000
}

#[tokio::test]
async fn hostile_documents_cost_little_and_are_answered_briefly() {
    let world = World::demo("sqlite").await;
    let officer = world.persona("county-officer").await;
    let schema = Schema::new(world.domain.clone(), Limits::default());
    let mut worst = (0, String::new());
    for attack in ATTACKS {
        let sizes = TIMES.iter().map(|times| times * USUAL).chain([largest(attack.make)]);
        for (at, size) in sizes.enumerate() {
            let (query, variables) = (attack.make)(size);
            let variables = variables.as_object().cloned().unwrap_or_default();
            let request = Request { query, variables, ..Request::default() };
            let before = used();
            let (response, statements) = domain::store::meter::metered(async {
                let response = match schema.prepare(request) {
                    Ok(prepared) => schema.execute(prepared, officer.clone()).await,
                    Err(response) => *response,
                };
                (response, domain::store::meter::statements())
            })
            .await;
            let millis = used() - before;
            let text = serde_json::to_string(&response).expect("json");
            let named = format!("{} × {size}", attack.name);
            assert!(millis <= MOST_MILLIS, "{named}: {millis} ms");
            assert!(statements <= MOST_STATEMENTS, "{named}: {statements} statements");
            // What fits into every limit may be a large answer to a large question; what scanners send is refused.
            assert!(text.len() <= MOST_BYTES || at == TIMES.len() && response.errors.is_empty(), "{named}: {} bytes: {}", text.len(), &text[..500]);
            if millis > worst.0 {
                worst = (millis, named);
            }
        }
    }
    eprintln!("the most work: {} ms for {}", worst.0, worst.1);
    let answer = world.ask(&officer, "{ viewer { id } }", crate::support::no_variables()).await;
    assert!(answer["data"]["viewer"]["id"].is_string(), "{answer}");
    world.end().await;
}
