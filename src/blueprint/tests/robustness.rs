//! Whatever the file holds, there is an answer and no panic, and every place lies within its line.

use super::{
    super::{Stage, built_in},
    *,
};

/// A generator with a fixed seed (xorshift), so that a failure comes back.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }
}

/// Texts that mean something to YAML or to a blueprint.
const SPLICES: [&str; 28] = [
    ":",
    "- ",
    "\n",
    "  ",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "<<: *spot_types",
    "!!binary ",
    "|",
    ">",
    "\"",
    "'",
    "#",
    "\t",
    "null",
    "~",
    "-1",
    "99999999999999999999",
    "1e999",
    ".nan",
    "ü🙂",
    "\u{0}",
    "? ",
    "---\n",
];

#[test]
fn mutated_blueprints_are_answered() {
    let mut dice = Dice(0x5eed_cafe_f00d_beef);
    for round in 0..600 {
        let mut text: Vec<char> = built_in(Stage::ALL[round % 3]).chars().collect();
        for _ in 0..=dice.below(4) {
            let at = dice.below(text.len());
            match dice.below(4) {
                0 => text.truncate(at.max(1)),
                1 => drop(text.drain(at..(at + dice.below(30)).min(text.len()))),
                _ => drop(text.splice(at..at, SPLICES[dice.below(SPLICES.len())].chars())),
            }
        }
        answered(&text.iter().collect::<String>());
    }
}

#[test]
fn every_beginning_of_a_blueprint_is_answered() {
    let text = built_in(Stage::SnsSqs);
    for (end, _) in text.char_indices() {
        answered(&text[..end]);
    }
}

#[test]
fn every_line_may_be_another() {
    for stage in Stage::ALL {
        let lines: Vec<&str> = built_in(stage).lines().collect();
        for at in 0..lines.len() {
            for other in ["", "- x", "x: [", "      name: photos", "stage: {}"] {
                let mut changed = lines.clone();
                changed[at] = other;
                answered(&changed.join("\n"));
            }
        }
    }
}

#[test]
fn every_value_may_be_of_any_type() {
    let pointers =
        ["name", "stage", "groups", "queues", "renditions", "tagging", "balancer", "network", "bucket", "worker"];
    for key in pointers {
        for value in
            ["1", "-1", "1.5", "true", "null", "[]", "[[]]", "{}", "{ web: 1 }", "{ web: [], process: {} }", "\"\""]
        {
            answered(&format!("stage: elb-sqs\n{key}: {value}\n").replacen("stage: elb-sqs\nstage", "stage", 1));
        }
    }
    for text in [
        "1",
        "[]",
        "x",
        "- 1",
        "? [a]\n: b",
        "\u{feff}stage: elb",
        "\u{0}",
        "a: &a [*a]",
        &"[".repeat(100_000),
        &"{a: ".repeat(200),
    ] {
        answered(text);
    }
}

fn answered(text: &str) {
    let diagnostics = match check(text) {
        Ok(loaded) => loaded.warnings,
        Err(LoadError::Invalid(diagnostics)) => {
            assert!(diagnostics.iter().any(super::super::Diagnostic::is_error), "no reason for {text:?}");
            diagnostics
        }
        Err(error) => panic!("{error} for {text:?}"),
    };
    for diagnostic in &diagnostics {
        assert!(!diagnostic.message.is_empty() && !diagnostic.message.contains('\n'), "{diagnostic:?}");
        if let Some(place) = &diagnostic.place {
            assert!(place.line >= 1 && place.line <= text.lines().count() + 1, "{diagnostic:?}");
            assert!(place.column >= 1 && place.column <= place.text.chars().count() + 1, "{diagnostic:?}");
        }
    }
    render(&diagnostics, false);
    render(&diagnostics, true);
}
