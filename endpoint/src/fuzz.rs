//! The parsers of what clients send to queues and topics, from bytes to an end: for the fuzzer in `fuzz/`, and for tests of its
//! seeds. Not built otherwise. (XML is read for S3 alone, by the s3s crate.)

use serde_json::Value;

use crate::wire::Params;

pub use crate::{sns::fuzz::policies, sqs::fuzz::attributes, sqs::fuzz::receipt};

/// A call's form, in the body or in the URL.
pub fn query(form: &[u8]) {
    for path in ["/", "/000000000000/q"] {
        if let Ok((_, params)) = Params::form(form, path) {
            let fields: Value = params.decode().expect("a form is an object");
            assert!(fields.is_object());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// Damaged copies of each seed. The fuzzer tries very many more.
    const COPIES: u32 = 2000;

    fn replay(name: &str, target: fn(&[u8])) {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
        let seeds: Vec<_> =
            fs::read_dir(directory).unwrap().map(|seed| fs::read(seed.unwrap().path()).unwrap()).collect();
        assert!(seeds.len() > 1, "{name}");
        let mut state = 1_u32;
        let mut random = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below.max(1)
        };
        for seed in seeds {
            target(&seed);
            for _ in 0..COPIES {
                let mut damaged = seed.clone();
                for _ in 0..=random(4) {
                    let at = random(damaged.len());
                    damaged[at] = random(256).to_le_bytes()[0];
                }
                target(&damaged);
            }
        }
    }

    #[test]
    fn seeds_and_their_damaged_copies_come_to_an_end() {
        replay("query", query);
        replay("attributes", attributes);
        replay("policies", policies);
        replay("receipt", receipt);
    }
}
