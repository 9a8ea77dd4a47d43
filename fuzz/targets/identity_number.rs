//! GB 11643 in every disguise.
#![no_main]

use entity::IdentityNumber;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = IdentityNumber::parse(text);
});
