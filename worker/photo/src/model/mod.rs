//! Tagging: a model's probabilities, and what they mean in people's words.
//!
//! [`engine`] runs the model, [`labels`] knows what its classes are called, [`tags`] turns probabilities into tags.

mod engine;
mod labels;
mod tags;

use decouple_contract::Tagging;
use serde::{Deserialize, Serialize};

use self::{engine::Engine, labels::Labels};
use crate::Look;

const MODEL: &[u8] = include_bytes!("../../../model/efficientnet-lite0.onnx");
const LABELS: &str = include_str!("../../../model/labels.tsv");

/// A model that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file of the user's cannot be read.
    #[error("{path} cannot be read")]
    File {
        /// Path of the file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The labels are not the table that they should be.
    #[error("the labels are not what they should be: {0}")]
    Labels(String),
    /// The engine does not take the model, or failed to run it.
    #[error("{engine} says: {why}")]
    Engine {
        /// Name of the engine.
        engine: &'static str,
        /// What it says.
        why: String,
    },
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tag {
    /// What is in the photo.
    pub label: String,
    /// How sure the model is, from 0 to 1.
    pub score: f32,
}

/// What is in a photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Tagged {
    /// Tags to be shown, the surest first.
    pub tags: Vec<Tag>,
    /// Lower-case words by which the photo is found.
    pub terms: Vec<String>,
}

/// Returns the lower-case words of a text.
pub fn words(text: &str) -> Vec<String> {
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// A model that is ready, with its labels. Threads share it.
pub struct Tagger {
    engine: Engine,
    labels: Labels,
    threshold: f32,
    max_tags: usize,
}

impl Tagger {
    /// Loads the built-in model, or the user's own.
    pub fn load(settings: &Tagging) -> Result<Self, ModelError> {
        let read =
            |path: &str| std::fs::read(path).map_err(|source| ModelError::File { path: path.to_owned(), source });
        let own = settings.model.as_deref().map(read).transpose()?;
        let labels = match settings.labels.as_deref().map(read).transpose()? {
            Some(text) => Labels::parse(&String::from_utf8_lossy(&text))?,
            None => Labels::parse(LABELS)?,
        };
        let engine = Engine::load(own.as_deref().unwrap_or(MODEL))?;
        tracing::info!(engine = engine.name(), "the model is ready");
        Ok(Self { engine, labels, threshold: settings.threshold, max_tags: settings.max_tags as usize })
    }

    /// Says which engine runs the model.
    pub fn engine(&self) -> &'static str {
        self.engine.name()
    }

    /// Tags a photo from what the model looks at.
    pub fn tag(&self, look: &Look) -> Result<Tagged, ModelError> {
        let probabilities = self.engine.run(look.input())?;
        if probabilities.len() != self.labels.len() {
            let (classes, labels) = (probabilities.len(), self.labels.len());
            return Err(ModelError::Labels(format!("the model has {classes} classes, and there are {labels} labels")));
        }
        Ok(tags::of(&self.labels, &probabilities, self.threshold, self.max_tags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Wanted, make};

    fn look(photo: &[u8]) -> Look {
        make(photo, Wanted { renditions: None, look: true }).unwrap().look.unwrap()
    }

    fn best(labels: &Labels, probabilities: &[f32]) -> (String, f32) {
        let best = (0..probabilities.len()).max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b])).unwrap();
        (labels.get(best).name.clone(), probabilities[best])
    }

    const PHOTOS: [(&[u8], &str, f32); 4] = [
        (include_bytes!("../../../../tests/photos/cat.png"), "tiger cat", 0.39),
        (include_bytes!("../../../../tests/photos/coffee.png"), "espresso", 0.95),
        (include_bytes!("../../../../tests/photos/photographer.png"), "tripod", 0.94),
        (include_bytes!("../../../../tests/photos/rocket.jpg"), "missile", 0.30),
    ];

    #[test]
    fn both_engines_give_the_expected_answers() {
        let labels = Labels::parse(LABELS).unwrap();
        let runtime = engine::runtime_path().expect(
            "ONNX Runtime's library is beside the tests' executables or in ORT_DYLIB_PATH: scripts/setup onnxruntime",
        );
        for engine in [Engine::onnx_runtime(&runtime, MODEL).unwrap(), Engine::rten(MODEL).unwrap()] {
            for (photo, label, score) in PHOTOS {
                let (found, probability) = best(&labels, &engine.run(look(photo).input()).unwrap());
                assert_eq!(found, label, "{}", engine.name());
                assert!((probability - score).abs() < 0.015, "{}: {label} {probability}", engine.name());
            }
        }
    }

    #[test]
    fn a_cat_is_a_cat_and_an_animal() {
        let tagger = Tagger::load(&Tagging::default()).unwrap();
        let tagged = tagger.tag(&look(PHOTOS[0].0)).unwrap();
        assert_eq!(tagged.tags[0].label, "cat", "{:?}", tagged.tags);
        assert!(tagged.tags[0].score > 0.85);
        assert!(tagged.tags.iter().any(|tag| tag.label == "tabby cat"));
        for term in ["cat", "tabby", "animal", "feline"] {
            assert!(tagged.terms.iter().any(|found| found == term), "{term} in {:?}", tagged.terms);
        }
    }
}
