//! Every condition that access hangs on has a name. A build with the feature `mutants`, which only tests ask for, can switch
//! one off at run time, on its own thread or by `CW_MUTANT` in the whole process: a test that then still passes does not
//! look. Without the feature nothing of this is in the program: [`off`] is `false` to the compiler.

use sea_orm::sea_query::{Expr, ExprTrait};

/// A condition that access hangs on, under its name: `check!("reach.category", mine == theirs)`.
#[macro_export]
macro_rules! check {
    ($name:literal, $condition:expr) => {
        ($crate::access::mutant::off($name) || $condition)
    };
}

/// A condition of a statement, under its name.
pub fn unless(check: &'static str, condition: Expr) -> Expr {
    if off(check) { Expr::val(1).eq(1) } else { condition }
}

/// Whether this check is switched off.
#[cfg(not(any(test, feature = "mutants")))]
#[inline(always)]
pub const fn off(_check: &'static str) -> bool {
    false
}

/// Whether this check is switched off, for everything or for the named one of its cases.
#[cfg(not(any(test, feature = "mutants")))]
#[inline(always)]
pub const fn off_for(_check: &'static str, _case: &str) -> bool {
    false
}

/// Whether any check is switched off here: what is made then is not kept.
#[cfg(not(any(test, feature = "mutants")))]
#[inline(always)]
pub const fn switched() -> bool {
    false
}

#[cfg(any(test, feature = "mutants"))]
pub use switch::{VARIABLE, asked, off, off_for, switch_off, switched, switched_off};

#[cfg(any(test, feature = "mutants"))]
mod switch {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    /// Names the check that is off in a process from its start.
    pub const VARIABLE: &str = "CW_MUTANT";

    struct Switch {
        off: Option<String>,
        asked: BTreeSet<String>,
    }

    impl Default for Switch {
        fn default() -> Switch {
            Switch { off: std::env::var(VARIABLE).ok(), asked: BTreeSet::new() }
        }
    }

    // A test runs on one thread with all its tasks: those beside it keep their checks.
    thread_local! {
        static SWITCH: RefCell<Switch> = RefCell::default();
    }

    pub fn switched() -> bool {
        SWITCH.with_borrow(|switch| switch.off.is_some())
    }

    pub fn off(check: &'static str) -> bool {
        SWITCH.with_borrow_mut(|switch| {
            if !switch.asked.contains(check) {
                switch.asked.insert(check.to_owned());
            }
            switch.off.as_deref() == Some(check)
        })
    }

    /// A check of several cases is switched off as `check`, or as `check:case`.
    pub fn off_for(check: &'static str, case: &str) -> bool {
        let whole = format!("{check}:{case}");
        let one = SWITCH.with_borrow_mut(|switch| {
            let off = switch.off.as_deref() == Some(&whole);
            switch.asked.insert(whole);
            off
        });
        off(check) || one
    }

    /// Switches one check off on this thread, or none.
    pub fn switch_off(check: Option<&str>) {
        SWITCH.with_borrow_mut(|switch| switch.off = check.map(str::to_owned));
    }

    /// The check that is switched off on this thread.
    pub fn switched_off() -> Option<String> {
        SWITCH.with_borrow(|switch| switch.off.clone())
    }

    /// The checks that were asked on this thread since the last call.
    pub fn asked() -> BTreeSet<String> {
        SWITCH.with_borrow_mut(|switch| std::mem::take(&mut switch.asked))
    }
}
