//! Each check that access hangs on is switched off, one at a time, in this one build: something here must then fail.

use crate::killers::{KILLERS, Template};
use crate::matrix::Matrix;
use crate::strangers::STRANGERS;
use domain::access::trial::{self, Killer};
use std::path::Path;

/// The questions of the matrix, which change nothing and so share one world, and the killers, each on a copy of its own.
#[test]
fn no_check_can_go_without_a_test_that_fails() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let started = std::time::Instant::now();
    let (template, matrix) = runtime.block_on(async { (Template::new().await, Matrix::new("sqlite").await) });
    println!("stage after {:.1} s", started.elapsed().as_secs_f64());
    let (runtime, template, matrix) = (&runtime, &template, &matrix);
    let parts = matrix.parts();
    let mut killers = Vec::new();
    for at in matrix.telling() {
        let label = &matrix.every(at).1.label;
        killers.extend(parts.iter().map(|part| Killer::new(format!("{label}: {}", matrix.name_of(part)), move || runtime.block_on(matrix.holds(at, part)))));
    }
    for (name, run) in KILLERS.iter().chain(STRANGERS) {
        killers.push(Killer::alone(*name, move || {
            runtime.block_on(async {
                let world = template.copy().await;
                let verdict = run(&world).await;
                world.end().await;
                verdict.is_ok()
            })
        }));
    }
    let wrong = trial::hold("schema", &["domain/src", "graphql/src"], &killers);
    println!("{:.1} s in all", started.elapsed().as_secs_f64());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is built for use asks for no switch: neither the schema nor the program, however they are put together.
#[test]
fn the_product_has_no_switch() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let features = |edges: &str| {
        let tree = std::process::Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--locked", "-p", "child-welfare", "-e", edges, "-i", "child-welfare-domain", "-f", "{p} [{f}]"])
            .current_dir(&root)
            .output()
            .expect("cargo runs");
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        String::from_utf8_lossy(&tree.stdout).into_owned()
    };
    assert!(!features("normal,build").contains("mutants"), "{}", features("normal,build"));
    assert!(features("normal,build,dev").contains("mutants"), "the tests have lost their switch");
}
